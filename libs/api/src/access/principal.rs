//! Principals: who a call comes from, as the issuer of the token says.

use std::collections::BTreeSet;

use seva_domain::values::{Actor, Department};

/// What somebody is at work.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Role {
    /// Serves customers.
    Agent,
    /// Answers for agents.
    Supervisor,
    /// Answers for departments and how the house is run.
    Manager,
    /// Says whether money is given back.
    RefundApprover,
    /// Writes the service policy.
    PolicyEditor,
    /// Judges how customers were served.
    QualityReviewer,
    /// Works with figures, never with persons.
    Analyst,
    /// Runs Seva itself.
    Operator,
    /// Another system of the company.
    System,
}

impl Role {
    /// Every role, in the order of the contract.
    pub const ALL: [Role; 9] = [
        Role::Agent,
        Role::Supervisor,
        Role::Manager,
        Role::RefundApprover,
        Role::PolicyEditor,
        Role::QualityReviewer,
        Role::Analyst,
        Role::Operator,
        Role::System,
    ];

    /// What it is called in configuration and tables.
    pub fn name(self) -> &'static str {
        match self {
            Role::Agent => "agent",
            Role::Supervisor => "supervisor",
            Role::Manager => "manager",
            Role::RefundApprover => "refund_approver",
            Role::PolicyEditor => "policy_editor",
            Role::QualityReviewer => "quality_reviewer",
            Role::Analyst => "analyst",
            Role::Operator => "operator",
            Role::System => "system",
        }
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether whoever has it works for the whole house, and not for one department.
    fn is_house_wide(self) -> bool {
        match self {
            Role::Manager | Role::QualityReviewer | Role::Analyst | Role::Operator | Role::System => true,
            Role::Agent | Role::Supervisor | Role::RefundApprover | Role::PolicyEditor => false,
        }
    }
}

/// Whether it is somebody or something that calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Person,
    System,
}

/// Who a call comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Principal {
    /// Who acts: an opaque id.
    pub subject: Actor,
    /// For whom, if not for themselves.
    pub acting_for: Option<Actor>,
    /// The roles that the configuration knows; there may be none.
    pub roles: BTreeSet<Role>,
    pub department: Option<Department>,
    /// Where they work: what the issuer says, at most 64 bytes.
    pub site: Option<String>,
}

impl Principal {
    /// What it is: another system has the role of one.
    pub fn kind(&self) -> Kind {
        if self.roles.contains(&Role::System) { Kind::System } else { Kind::Person }
    }

    /// Who records say it was.
    pub fn actor(&self) -> Actor {
        match &self.acting_for {
            Some(other) => self.subject.acting_for(other),
            None => self.subject.clone(),
        }
    }

    /// Whether it has one of these roles.
    pub fn is_one_of(&self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.roles.contains(role))
    }

    /// Whether it works for the whole house, and not for one department.
    pub fn is_house_wide(&self) -> bool {
        self.roles.iter().any(|role| role.is_house_wide())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(roles: &[Role]) -> Principal {
        Principal {
            subject: Actor::parse("ana").unwrap(),
            acting_for: None,
            roles: roles.iter().copied().collect(),
            department: None,
            site: None,
        }
    }

    #[test]
    fn a_role_is_found_by_its_name() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.name()), Some(role));
        }
        assert_eq!(Role::parse("Agent"), None);
    }

    #[test]
    fn records_name_who_acts_and_for_whom() {
        let mut ana = principal(&[Role::Agent]);
        assert_eq!(ana.actor().as_str(), "ana");
        ana.acting_for = Actor::parse("ben");
        assert_eq!(ana.actor().as_str(), "ana/ben");
    }

    #[test]
    fn a_system_is_what_has_the_role_of_one_and_works_house_wide() {
        assert_eq!(principal(&[Role::Agent]).kind(), Kind::Person);
        assert_eq!(principal(&[Role::Agent, Role::System]).kind(), Kind::System);
        assert!(principal(&[Role::System]).is_house_wide());
        assert!(!principal(&[Role::Agent, Role::Supervisor]).is_house_wide());
    }
}
