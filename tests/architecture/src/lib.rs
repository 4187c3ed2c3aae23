//! What the house is built like, checked on its own sources: who depends on whom, what stands where, what the contracts look like.

#[cfg(test)]
mod dependencies;
#[cfg(test)]
mod house;
#[cfg(test)]
mod proto;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod top_level;
