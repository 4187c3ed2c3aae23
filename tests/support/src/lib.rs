//! What tests across the workspace share: a server of their own, a network that fails, a wait that ends.

mod eventually;
mod nats;
mod proxy;

pub use eventually::eventually;
pub use nats::{TestNats, nats};
pub use proxy::Proxy;
