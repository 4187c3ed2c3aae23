//! What the policy makes of a suggestion: the department it goes to.

use super::{Event, Routed};
use crate::policy::Policy;
use crate::values::Department;

/// Routes a suggestion that was captured: to the department of the row that fired, else to triage.
pub fn rule(fact: &Event, policy: &Policy) -> Vec<Event> {
    match fact {
        Event::Captured(captured) => {
            let hit = captured.classification.hit.clone();
            let routed =
                hit.and_then(|hit| policy.document.department(&hit).map(|department| (department, hit)));
            let (department, hit) = match routed {
                Some((department, hit)) => (department, Some(hit)),
                None => (Department::triage(), None),
            };
            vec![Event::Routed(Routed { department, policy: policy.version, hit })]
        }
        Event::Routed(_)
        | Event::Acknowledged(_)
        | Event::Rerouted(_)
        | Event::Adopted(_)
        | Event::Declined(_)
        | Event::OutcomeReported(_) => Vec::new(),
    }
}
