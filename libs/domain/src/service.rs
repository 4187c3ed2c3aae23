//! The services: who owns which noun, and which processes command them.

use crate::noun::Noun;
use crate::process::Process;

/// A service. Only it writes its nouns.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Service {
    Escalation,
    Feedback,
    Intake,
    Policy,
    Refunds,
}

impl Service {
    /// All services, in order of their names.
    pub const ALL: [Service; 5] =
        [Service::Escalation, Service::Feedback, Service::Intake, Service::Policy, Service::Refunds];

    /// What it is called in subjects, commands and folders.
    pub fn name(self) -> &'static str {
        match self {
            Service::Escalation => "escalation",
            Service::Feedback => "feedback",
            Service::Intake => "intake",
            Service::Policy => "policy",
            Service::Refunds => "refunds",
        }
    }

    /// The service of this name.
    pub fn parse(name: &str) -> Option<Service> {
        Service::ALL.into_iter().find(|service| service.name() == name)
    }

    /// The service that owns a noun.
    pub fn of(noun: &Noun) -> Service {
        match noun {
            Noun::Case(_) | Noun::Customer(_) | Noun::Import(_) => Service::Intake,
            Noun::Charge(_) => Service::Refunds,
            Noun::Escalation(_) => Service::Escalation,
            Noun::Policy => Service::Policy,
            Noun::Suggestion(_) => Service::Feedback,
        }
    }

    /// The processes that command its nouns.
    pub fn processes(self) -> &'static [Process] {
        match self {
            Service::Escalation => &[Process::EndWithCases, Process::EscalateBrokenPromises],
            Service::Feedback => &[Process::CaptureSuggestions],
            Service::Intake | Service::Policy | Service::Refunds => &[],
        }
    }

    /// Whether its decisions rest on a noun of another service: the policy that rules them, the imports whose nouns' due times wait.
    pub fn folds(self, noun: &Noun) -> bool {
        matches!(noun, Noun::Import(_) | Noun::Policy) && Service::of(noun) != self && self.reads(noun.name())
    }

    /// Whether it folds or reacts to records of nouns of this name. It need not understand the others.
    pub fn reads(self, noun: &str) -> bool {
        match self {
            Service::Escalation => matches!(noun, "case" | "customer" | "escalation" | "import" | "policy"),
            Service::Feedback => matches!(noun, "case" | "customer" | "policy" | "suggestion"),
            Service::Intake => matches!(noun, "case" | "customer" | "import" | "policy"),
            Service::Policy => noun == "policy",
            Service::Refunds => matches!(noun, "case" | "charge" | "customer" | "import" | "policy"),
        }
    }
}
