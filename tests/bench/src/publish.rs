//! What JetStream alone can do, guarded as the log is: one record a message, and many.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_nats::jetstream;
use async_nats::jetstream::context::Context;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream;
use bytes::Bytes;
use tokio::sync::Mutex;

use crate::args::Measures;
use crate::drive::{Driven, Load, drive};
use crate::house::House;
use crate::latencies::Latencies;
use crate::table::{Row, Table};

/// The row of one record a message.
pub(crate) const ONE: &str = "publish, one record";

/// How large a record is.
const RECORD_BYTES: usize = 1_024;

/// How many records a message of many holds.
const MANY: [usize; 3] = [16, 64, 256];

/// Publishes one record a message, with so many on their way, and many records a message, one message after the other.
pub(crate) async fn measure(house: &House, measures: &Measures, table: &mut Table) -> anyhow::Result<()> {
    let context = jetstream::new(house.connect_plainly().await?);
    let config = stream::Config {
        name: "BENCH".to_owned(),
        subjects: vec!["bench.>".to_owned()],
        ..stream::Config::default()
    };
    context.create_stream(config).await?;
    for in_flight in &measures.in_flight {
        let driven = one_record(&context, *in_flight, measures.lasts()).await?;
        let (per_second, latencies) = (driven.per_second(), driven.latencies);
        table.add(row(ONE.to_owned(), *in_flight, per_second, latencies));
    }
    for records in MANY {
        let subject = format!("bench.many.{records}");
        let (began, end) = (Instant::now(), Instant::now() + measures.lasts());
        let mut writer = Writer::new(context.clone(), subject, records * RECORD_BYTES);
        let mut latencies = Latencies::default();
        while Instant::now() < end {
            let sent = Instant::now();
            writer.publish().await?;
            latencies.add(sent.elapsed());
        }
        let per_second = (latencies.count() * records) as f64 / began.elapsed().as_secs_f64();
        let mut row = row(format!("publish, {records} records"), 1, per_second, latencies);
        row.note = "records a second, one message after the other".to_owned();
        table.add(row);
    }
    context.delete_stream("BENCH").await?;
    Ok(())
}

fn row(name: String, in_flight: usize, per_second: f64, latencies: Latencies) -> Row {
    let (p50, p99) = latencies.p50_p99_ms();
    let (p50_ms, p99_ms) = (Some(p50), Some(p99));
    Row { name, in_flight: Some(in_flight), per_second: Some(per_second), p50_ms, p99_ms, ..Row::default() }
}

/// Each writer has a subject of its own and guards it: a noun a subject.
async fn one_record(context: &Context, in_flight: usize, lasts: Duration) -> anyhow::Result<Driven> {
    drive(Load::free(in_flight, lasts), |n| {
        let subject = format!("bench.one.{in_flight}.{n}");
        let writer = Writer::new(context.clone(), subject, RECORD_BYTES);
        let writer = Arc::new(Mutex::new(writer));
        move |_| {
            let writer = Arc::clone(&writer);
            async move { writer.lock().await.publish().await }
        }
    })
    .await
}

/// Writes to one subject, each message guarded by the one before it.
struct Writer {
    context: Context,
    subject: String,
    payload: Bytes,
    last: u64,
}

impl Writer {
    fn new(context: Context, subject: String, bytes: usize) -> Writer {
        let payload: Vec<u8> = (0..bytes).map(|_| rand::random_range(b' '..=b'~')).collect();
        Writer { context, subject, payload: payload.into(), last: 0 }
    }

    async fn publish(&mut self) -> anyhow::Result<()> {
        let message =
            PublishMessage::build().payload(self.payload.clone()).expected_last_subject_sequence(self.last);
        let ack = self.context.send_publish(self.subject.clone(), message).await?;
        self.last = ack.await.context("a guarded message was refused")?.sequence;
        Ok(())
    }
}
