//! What each method declares in its contract: who may call it, and what of the answer they read.

use super::principal::Role;

/// What a caller must have to do with what a call is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ObjectRule {
    /// Nothing.
    None,
    /// It is in the caller's department, unless the caller works house-wide.
    OwnDepartment,
    /// Somebody else requested it, wherever the policy asks for a second person; the charge sees to it.
    NotTheRequester,
}

/// One method, and who may call it.
#[derive(Debug, Eq, PartialEq)]
pub struct Method {
    /// For example `/seva.intake.v1.IntakeService/GetCase`.
    pub path: &'static str,
    /// A caller needs one of these.
    pub roles: &'static [Role],
    pub object_rule: ObjectRule,
    /// Which of them read the texts of the answer.
    pub personal_data: &'static [Role],
    /// Whether each call that is let through is recorded.
    pub is_audited: bool,
}

/// Every method of every contract, in order of the paths. Generated: a method that declares nothing fails the build.
pub static METHODS: &[Method] = include!(concat!(env!("OUT_DIR"), "/declared.rs"));

impl Method {
    /// The method at a path.
    pub fn at(path: &str) -> Option<&'static Method> {
        METHODS.binary_search_by(|method| method.path.cmp(path)).ok().map(|found| &METHODS[found])
    }

    /// Its service's and its own name, without the package: `IntakeService/GetCase`.
    pub fn short_name(&self) -> &'static str {
        let path = self.path.trim_start_matches('/');
        let package = path.split('/').next().unwrap_or(path).rfind('.').map_or(0, |dot| dot + 1);
        &path[package..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_found_by_its_path() {
        assert!(METHODS.len() > 40, "{}", METHODS.len());
        for method in METHODS {
            assert_eq!(Method::at(method.path), Some(method));
            assert!(!method.roles.is_empty(), "{}", method.path);
        }
        assert_eq!(Method::at("/seva.intake.v1.IntakeService/GetEverything"), None);
        let found = Method::at("/seva.intake.v1.IntakeService/GetCase").unwrap();
        assert_eq!(found.short_name(), "IntakeService/GetCase");
    }

    #[test]
    fn who_works_with_figures_reads_no_texts() {
        for method in METHODS {
            assert!(!method.personal_data.contains(&Role::Analyst), "{}", method.path);
            assert!(!method.personal_data.contains(&Role::Operator), "{}", method.path);
        }
    }
}
