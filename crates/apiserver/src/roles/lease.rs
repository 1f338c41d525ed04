//! Leases: durations that make sense.
//! The rules are those of kube-apiserver 1.36.
//! Whether a lease has run out is for those who hold it to say.

use serde_json::Value;

use crate::status::Cause;

pub(super) fn faults(lease: &Value) -> Vec<Cause> {
    let mut faults = Vec::new();
    if let Some(seconds) =
        lease.pointer("/spec/leaseDurationSeconds").filter(|s| s.as_i64().is_some_and(|s| s <= 0))
    {
        faults.push(Cause::invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"));
    }
    if let Some(count) = lease.pointer("/spec/leaseTransitions").filter(|c| c.as_i64().is_some_and(|c| c < 0))
    {
        faults.push(Cause::invalid("spec.leaseTransitions", count, "must be greater than or equal to 0"));
    }
    faults
}
