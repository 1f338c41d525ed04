//! The admission webhook: reviews of cert-manager's kinds by the rules that the controller itself goes by.
//! It makes its serving certificates, keeps the CA of them in a Secret and in the webhook configurations, and reads nothing else.
//! It never stores or changes an object of a user; the API server does, with what a review says.

pub mod approval;
mod authority;
mod bundle;
pub mod keep;
pub mod mutate;
pub mod question;
pub mod review;
mod serve;
mod shown;

pub use keep::{Names, keep};
pub use serve::serve;
pub use shown::Shown;
