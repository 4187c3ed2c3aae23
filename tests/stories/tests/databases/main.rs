//! Databases hold nothing that the log does not: whatever happens to them, the answers are the same or there are none for a while.

mod answers;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use seva::house;
use seva_api::pb::intake::v1::ListOpenCasesRequest;
use seva_api::pb::operations::v1::RebuildReadModelRequest;
use seva_domain::service::Service;
use seva_eventlog::commit::Digest;
use seva_eventlog::jetstream::{self, STREAM};
use seva_rights::Identity;
use seva_stories::{House, as_actor, command, refused};
use seva_support::eventually;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use self::answers::{Known, answers, contact, files, generations, play, replace, same};

/// How often the databases are damaged: one byte of each of the three each time.
const ROUNDS: u32 = 34;

/// How long something may take to be noticed.
const PATIENCE: Duration = Duration::from_secs(30);

type Answers = BTreeMap<String, String>;

/// A house with a history, stopped, with what it answered and a copy of its databases.
struct Stopped {
    house: House,
    known: Known,
    answers: Answers,
    pristine: tempfile::TempDir,
}

impl Stopped {
    async fn after_a_history() -> Result<Stopped> {
        let mut house = House::start().await;
        let known = play(&house).await?;
        let answers = answers(&house, &known).await?;
        house.stop_services().await;
        let pristine = tempfile::tempdir()?;
        for service in Service::ALL {
            replace(&house.data().join(service.name()), &pristine.path().join(service.name()))?;
        }
        Ok(Stopped { house, known, answers, pristine })
    }

    /// Lets something happen to each database, starts the services, compares every answer, and stops them. Answers whose was noticed.
    async fn round(&mut self, mut happen: impl FnMut(Service, &Path) -> Result<()>) -> Result<Vec<Service>> {
        for service in Service::ALL {
            let folder = self.house.data().join(service.name());
            replace(&self.pristine.path().join(service.name()), &folder)?;
            happen(service, &folder)?;
        }
        self.house.start_services().await;
        same(&self.answers, &answers(&self.house, &self.known).await?)?;
        let mut noticed = Vec::new();
        for service in Service::ALL {
            let (_, put_aside) = generations(&self.house, service)?;
            if put_aside > 0 {
                noticed.push(service);
            }
        }
        self.house.stop_services().await;
        Ok(noticed)
    }
}

/// Numbers that look picked at random and are the same in every run: splitmix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut n = self.0;
        n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((n ^ n >> 31) % limit as u64) as usize
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_that_were_deleted_come_back_the_same() -> Result<()> {
    let mut stopped = Stopped::after_a_history().await?;
    let noticed = stopped.round(|_, folder| Ok(fs::remove_dir_all(folder)?)).await?;
    ensure!(noticed.is_empty(), "there was nothing to put aside: {noticed:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_is_noticed_or_changes_no_answer() -> Result<()> {
    let mut stopped = Stopped::after_a_history().await?;
    let mut dice = Dice(20_260_701);
    let (mut flips, mut noticed) = (0, BTreeMap::<&str, u32>::new());
    let began = Instant::now();
    for _ in 0..ROUNDS {
        let mut places = Vec::new();
        let round = stopped.round(|_, folder| {
            let files = files(folder)?;
            let files: Vec<_> = files.iter().filter(|file| !file.ends_with("LOCK")).collect();
            let bytes = files.iter().map(fs::read).collect::<std::io::Result<Vec<_>>>()?;
            // Mostly where something is written: databases are padded with zeros.
            let written: Vec<(usize, usize)> = bytes
                .iter()
                .enumerate()
                .flat_map(|(file, bytes)| {
                    bytes.iter().enumerate().filter(|(_, byte)| **byte != 0).map(move |(at, _)| (file, at))
                })
                .collect();
            let (file, at) = if dice.below(4) > 0 {
                written[dice.below(written.len())]
            } else {
                let file = dice.below(files.len());
                (file, dice.below(bytes[file].len().max(1)))
            };
            let mut changed = bytes[file].clone();
            let byte = changed.get_mut(at).context("an empty file")?;
            *byte ^= u8::try_from(dice.below(255))? + 1;
            places.push(format!("{} at {at}", files[file].display()));
            Ok(fs::write(files[file], changed)?)
        });
        for service in round.await.with_context(|| format!("after {places:?}"))? {
            *noticed.entry(service.name()).or_default() += 1;
        }
        flips += Service::ALL.len();
    }
    let all: u32 = noticed.values().sum();
    eprintln!(
        "{flips} flips: {all} noticed and rebuilt {noticed:?}, {} without any effect, none with a wrong answer; {:.0} s",
        flips - all as usize,
        began.elapsed().as_secs_f64()
    );
    ensure!(flips >= 100 && all > 0, "{flips} flips, {all} noticed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_cut_emptied_or_deleted_are_noticed_or_change_no_answer() -> Result<()> {
    let mut stopped = Stopped::after_a_history().await?;
    let names: Vec<_> = Service::ALL
        .map(|service| {
            let folder = stopped.pristine.path().join(service.name());
            let files = files(&folder)?;
            Ok(files
                .iter()
                .map(|file| file.strip_prefix(&folder).map(Path::to_owned))
                .collect::<Result<Vec<_>, _>>()?)
        })
        .into_iter()
        .collect::<Result<_>>()?;
    let most = names.iter().map(Vec::len).max().context("no files")?;
    let (mut all, mut noticed) = (0, 0);
    for n in 0..most {
        for what in ["cut", "emptied", "deleted"] {
            let mut told = Vec::new();
            let round = stopped.round(|service, folder| {
                let names =
                    &names[Service::ALL.iter().position(|other| *other == service).context("a service")?];
                let file = folder.join(&names[n % names.len()]);
                told.push(file.clone());
                match what {
                    "cut" => {
                        let bytes = fs::read(&file)?;
                        fs::write(&file, &bytes[..bytes.len() / 2])?;
                    }
                    "emptied" => fs::write(&file, "")?,
                    _ => fs::remove_file(&file)?,
                }
                Ok(())
            });
            noticed += round.await.with_context(|| format!("{what}: {told:?}"))?.len();
            all += Service::ALL.len();
        }
    }
    eprintln!("{all} files cut, emptied or deleted: {noticed} noticed and rebuilt, none with a wrong answer");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_log_is_put_aside() -> Result<()> {
    let other = Stopped::after_a_history().await?;
    let mut stopped = Stopped::after_a_history().await?;
    let noticed =
        stopped.round(|service, folder| replace(&other.pristine.path().join(service.name()), folder)).await?;
    ensure!(noticed == Service::ALL, "{noticed:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_cannot_share_a_folder() -> Result<()> {
    let house = House::start().await;
    let second = house::start(house.options(), CancellationToken::new()).await;
    let error = second.err().context("it should not have started")?;
    let folder = house.data().join(Service::ALL[0].name());
    let expected = format!("the folder {} is in use by another process", folder.display());
    ensure!(format!("{error:#}").contains(&expected), "{error:#}");
    house.settled().await;
    house.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_under_load_leaves_no_question_unanswered() -> Result<()> {
    let mut house = House::start().await;
    play(&house).await?;
    let (is_over, reads) = (AtomicBool::new(false), AtomicU64::new(0));
    let rebuilding = async {
        for _ in 0..4 {
            for service in Service::ALL {
                for (name, _, _) in house.digests(service).await {
                    let request = RebuildReadModelRequest { name };
                    house.operations(service).rebuild_read_model(request).await?;
                }
            }
        }
        is_over.store(true, Ordering::Relaxed);
        anyhow::Ok(())
    };
    let writing = async {
        let mut intake = house.intake();
        let mut n = 1_000;
        while !is_over.load(Ordering::Relaxed) {
            intake.log_interaction(as_actor("writer", contact(n))).await?;
            n += 1;
        }
        anyhow::Ok(n - 1_000)
    };
    let reading = async {
        let mut intake = house.intake();
        while !is_over.load(Ordering::Relaxed) {
            let answer = intake.list_open_cases(as_actor("reader", ListOpenCasesRequest::default())).await?;
            ensure!(!answer.into_inner().cases.is_empty(), "no open cases any more");
            reads.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    let ((), writes, (), ()) = tokio::try_join!(rebuilding, writing, reading, async {
        let mut feedback = house.feedback();
        while !is_over.load(Ordering::Relaxed) {
            feedback.get_suggestion_counts(as_actor("reader", Default::default())).await?;
            reads.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    })?;
    eprintln!("while every read model was rebuilt four times: {writes} writes, {} reads", reads.into_inner());
    house.settled().await;
    let mut rebuilt = Vec::new();
    for service in Service::ALL {
        let (_, put_aside) = generations(&house, service)?;
        ensure!(put_aside == 0, "{}'s database was found damaged", service.name());
        rebuilt.push(house.digests(service).await);
    }
    house.stop_services().await;
    for service in Service::ALL {
        fs::remove_dir_all(house.data().join(service.name()))?;
    }
    house.start_services().await;
    for (service, rebuilt) in Service::ALL.iter().zip(rebuilt) {
        ensure!(house.digests(*service).await == rebuilt, "{}: other rows", service.name());
    }
    house.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_nobody_knows_stops_every_service_that_reads_its_noun_and_says_so() -> Result<()> {
    let house = House::start().await;
    let mut intake = house.intake();
    intake.log_interaction(as_actor("agent-12", contact(1))).await?;
    house.settled().await;
    append_unknown(&house).await?;

    for service in [Service::Feedback, Service::Intake] {
        let told = eventually("the service says that it has stopped", PATIENCE, async || {
            let status = house.operations(service).get_status(tonic::Request::new(Default::default())).await;
            status.ok().map(tonic::Response::into_inner).filter(|status| status.state == "STOPPED")
        });
        let told = told.await;
        ensure!(told.reason.contains("no event type `case.levitated.v1` is known"), "{told:?}");
        let mut health = HealthClient::new(house.channel(service));
        eventually("its health is NOT_SERVING", PATIENCE, async || {
            let health = health.clone().check(HealthCheckRequest { service: String::new() }).await.ok()?;
            (health.into_inner().status == i32::from(ServingStatus::NotServing)).then_some(())
        })
        .await;
        drop(health.check(HealthCheckRequest::default()).await?);
    }
    let refusal = refused(intake.log_interaction(as_actor("agent-12", contact(2))).await);
    ensure!(refusal.code == Code::Unavailable, "{refusal}");
    let refusal =
        refused(intake.list_open_cases(as_actor("agent-12", ListOpenCasesRequest::default())).await);
    ensure!(refusal.code == Code::Unavailable, "{refusal}");

    // A process that starts on this log does not get past it either, and ends with the reason.
    let data = tempfile::tempdir()?;
    let mut command = command();
    let (nats, monitor) = (house.nats().url(), house.nats().monitor_url());
    command.args(["serve", "--nats", &nats, "--monitor", &monitor, "--data"]).arg(data.path());
    command.arg("--nats-creds").arg(house.nats().seeds().folder());
    command.env("SEVA_MASTER_KEY", "07".repeat(32)).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.context("it goes on")??;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && said.contains("case.levitated.v1"), "{}: {said}", output.status);
    Ok(())
}

/// Appends a well-formed commit to intake's shard, as a newer build would: with an event type that this one does not know.
async fn append_unknown(house: &House) -> Result<()> {
    let context = async_nats::jetstream::new(house.nats().connect(Identity::Service(Service::Intake)).await);
    let stream = context.get_stream(STREAM).await?;
    let subject = jetstream::subject(Service::Intake);
    let last = stream.get_last_raw_message_by_subject(&subject).await?;
    let mut commit: serde_json::Value = serde_json::from_slice(&last.payload)?;
    commit["prev"] = Digest::of(&last.payload).to_string().into();
    let records = commit["records"].as_array_mut().context("records")?;
    let record = records.iter_mut().rfind(|record| record["noun"] == "case").context("a case")?;
    record["rev"] = (record["rev"].as_u64().context("rev")? + 1).into();
    record["events"] = serde_json::json!([{ "type": "case.levitated.v1", "origin": "fact", "data": {} }]);
    let record = record.clone();
    commit["records"] = serde_json::json!([record]);
    let message = async_nats::jetstream::message::PublishMessage::build()
        .payload(serde_json::to_vec(&commit)?.into())
        .expected_last_subject_sequence(last.sequence);
    context.send_publish(subject, message).await?.await?;
    Ok(())
}
