//! What `deploy/` says is true: its configurations run, its files can be read, its command lines are the program's, its backups restore.

#[cfg(test)]
mod cluster;
#[cfg(test)]
mod command_lines;
#[cfg(test)]
mod compose;
#[cfg(test)]
mod files;
#[cfg(test)]
mod restore;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod single;
#[cfg(test)]
mod units;
#[cfg(test)]
mod watching;
#[cfg(test)]
mod words;
