//! The nemesis: kills processes and the log's server at random moments, and starts them again a random while later.

use std::time::Duration;

use rand::Rng as _;
use rand::rngs::StdRng;
use seva_host::nats_server::NatsServer;
use tokio::time::Instant;

use crate::history::{History, Line, now};
use crate::processes::Processes;

/// How often the processes are looked after.
const LOOK: Duration = Duration::from_millis(50);

/// Which process is killed how often, of a hundred: intake's two, feedback, policy, escalation, refunds' two.
const SHARES: [u32; 7] = [15, 15, 10, 4, 10, 12, 12];

/// How often the payment provider is; the rest is the log's server.
const PROVIDER_SHARE: u32 = 10;

/// What the payment provider is told between kills. Its charges misbehave by their names besides.
const RULES: [&str; 6] = [
    r#"{"do":"misbehave","how":"lose_answer","times":3}"#,
    r#"{"do":"misbehave","how":"lose_answer","on":"ask","times":2}"#,
    r#"{"do":"misbehave","how":{"answer_late":{"after_ms":2500}},"times":3}"#,
    r#"{"do":"misbehave","how":{"work_late":{"after_ms":2500}},"on":"instruct","times":3}"#,
    r#"{"do":"misbehave","how":"down","times":4}"#,
    r#"{"do":"misbehave","how":{"pending":{"after_ms":1500,"code":null}},"times":2}"#,
];

/// For how long the server is halted, in milliseconds: longer than an append waits, so that what it was sent lands when nobody waits for it.
const HALT: std::ops::Range<u64> = 2_200..3_500;

/// What the nemesis plays with.
pub(crate) struct Nemesis<'a> {
    pub(crate) processes: &'a mut Processes,
    pub(crate) nats: &'a mut NatsServer,
    pub(crate) history: &'a History,
    pub(crate) rng: &'a mut StdRng,
    /// How often the server is halted for a while between kills, in per cent.
    pub(crate) halts: u32,
}

/// What is killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Victim {
    Nats,
    Process(usize),
    Provider,
}

impl Nemesis<'_> {
    /// Kills so many times, or until the time is over. Answers how often it did.
    pub(crate) async fn run(&mut self, kills: u32, until: Instant) -> anyhow::Result<u32> {
        let mut done = 0;
        self.wait(1_000..2_000).await?;
        while done < kills && Instant::now() < until {
            let mut victims = vec![self.victim()];
            if self.rng.random_bool(0.15) {
                victims.push(self.victim());
                victims.dedup();
            }
            for victim in &victims {
                self.kill(*victim).await?;
                done += 1;
            }
            self.wait(50..1_500).await?;
            for victim in victims {
                self.start(victim).await?;
                self.wait(0..300).await?;
            }
            self.tells().await?;
            self.wait(300..3_500).await?;
            if self.rng.random_ratio(self.halts, 100) {
                self.halt().await?;
            }
        }
        Ok(done)
    }

    /// Halts the server for a while: connections stay, nothing answers, and all it was sent is there when it goes on.
    async fn halt(&mut self) -> anyhow::Result<()> {
        self.history.write(&Line::Halted { at: now() })?;
        self.nats.freeze().await?;
        let waited = self.wait(HALT).await;
        self.nats.thaw()?;
        self.history.write(&Line::Resumed { at: now() })?;
        waited?;
        self.wait(500..1_500).await
    }

    /// Tells the payment provider to misbehave, mostly.
    async fn tells(&mut self) -> anyhow::Result<()> {
        match RULES.get(self.rng.random_range(0..RULES.len() + 2)) {
            Some(rule) => self.processes.provider.tell(rule).await.map(drop),
            None => Ok(()),
        }
    }

    fn victim(&mut self) -> Victim {
        let mut draw = self.rng.random_range(0..100);
        for (n, share) in SHARES.into_iter().enumerate() {
            if draw < share {
                return Victim::Process(n);
            }
            draw -= share;
        }
        if draw < PROVIDER_SHARE { Victim::Provider } else { Victim::Nats }
    }

    async fn kill(&mut self, victim: Victim) -> anyhow::Result<()> {
        match victim {
            Victim::Process(n) => self.processes.kill(n).await,
            Victim::Provider => self.processes.provider.kill().await,
            Victim::Nats => {
                self.history.write(&Line::Killed { at: now(), process: "nats".to_owned() })?;
                Ok(self.nats.kill9().await?)
            }
        }
    }

    async fn start(&mut self, victim: Victim) -> anyhow::Result<()> {
        match victim {
            Victim::Process(n) => self.processes.start(n),
            Victim::Provider => self.processes.provider.start(),
            Victim::Nats => {
                self.nats.restart().await?;
                self.history.write(&Line::Started { at: now(), process: "nats".to_owned(), life: 0 })
            }
        }
    }

    /// Waits a random while, and looks after the processes meanwhile.
    async fn wait(&mut self, millis: std::ops::Range<u64>) -> anyhow::Result<()> {
        let until = Instant::now() + Duration::from_millis(self.rng.random_range(millis));
        while Instant::now() < until {
            self.processes.look_after()?;
            tokio::time::sleep(LOOK.min(until - Instant::now())).await;
        }
        Ok(())
    }
}
