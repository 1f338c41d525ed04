//! everleaf
fn main() {}
