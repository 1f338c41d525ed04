//! `sys/...`: what a node says of itself, and the administration that tests and the demo need over HTTP.
//! Node-state calls need neither token nor quota; everything else went through the policies before.
//! Only what clients of an issuer meet is here.

pub(crate) mod administration;
pub(crate) mod capabilities;
pub(crate) mod status;
