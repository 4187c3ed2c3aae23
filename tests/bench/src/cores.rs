//! Which processors work for what is measured and which for whoever asks, as if those were other machines.

use anyhow::Context as _;
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::house::House;

/// Every processor this process may use.
pub(crate) struct Cores(CpuSet);

impl Cores {
    /// Gives one processor to this process alone and leaves the services and the nats-server the others. `None` where there is only one.
    pub(crate) fn part(house: &House) -> anyhow::Result<Option<Cores>> {
        let all = sched_getaffinity(None).context("the processors are not told")?;
        let Some(own) = (0..CpuSet::MAX_CPU).rev().find(|cpu| all.is_set(*cpu)) else { return Ok(None) };
        let (mut ours, mut theirs) = (CpuSet::new(), all);
        ours.set(own);
        theirs.unset(own);
        if theirs.count() == 0 {
            return Ok(None);
        }
        let cores = Cores(all);
        cores.assign(house, &ours, &theirs)?;
        Ok(Some(cores))
    }

    /// Lets everybody use all of them again.
    pub(crate) fn share(self, house: &House) -> anyhow::Result<()> {
        self.assign(house, &self.0, &self.0)
    }

    fn assign(&self, house: &House, ours: &CpuSet, theirs: &CpuSet) -> anyhow::Result<()> {
        confine(Some(std::process::id()), ours)?;
        confine(house.services_pid(), theirs)?;
        confine(house.nats.pid(), theirs)
    }
}

/// Lets all threads of a process, and those they will start, use these processors only.
fn confine(process: Option<u32>, cores: &CpuSet) -> anyhow::Result<()> {
    let process = process.context("the process is not there")?;
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let thread = thread?.file_name().to_string_lossy().parse().ok().and_then(Pid::from_raw);
        match sched_setaffinity(Some(thread.context("a thread has no number")?), cores) {
            // One that ended meanwhile uses none.
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => return Err(error).context("a thread cannot be given its processors"),
        }
    }
    Ok(())
}
