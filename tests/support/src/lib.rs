//! What tests across the workspace share: a server of their own, a network that fails, bytes that are nearly right, a wait that ends.

mod edited;
mod eventually;
mod nats;
mod proxy;
mod raw_codec;

pub use edited::{Edit, edited};
pub use eventually::eventually;
pub use nats::{TestNats, nats};
pub use proxy::Proxy;
pub use raw_codec::RawCodec;
