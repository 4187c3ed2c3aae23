//! Who calls, and what they may: verified tokens, the access that each method declares, and the record of what was opened and denied.
//!
//! One [`Door`] stands before all methods of a service. Behind it every call has a [`Caller`]; nothing there looks at roles.

mod audit;
mod caller;
mod denials;
mod identity;
mod keys;
mod layer;
mod permission;
mod principal;
mod token;

pub use audit::{AUDIT_STREAM, Audit};
pub use caller::{Caller, PURPOSE_KEY, Purpose, caller, taken};
pub use identity::{Claims, Identity, IdentityError, IssuerConfig};
pub use layer::{Book, Checked, Door, Entered};
pub use permission::{METHODS, Method, ObjectRule};
pub use principal::{Kind, Principal, Role};
pub use token::{AUTHORIZATION, BadToken, Verifier};
