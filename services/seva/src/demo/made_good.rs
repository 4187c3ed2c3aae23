//! The story of one customer out of three services: what was said and promised, who took it up, and what was given back, in order of time.

use anyhow::Context as _;
use seva_api::pb::common::v1::Money;
use seva_api::pb::escalation::v1::{EscalationStep, GetEscalationRequest};
use seva_api::pb::intake::v1::TimelineEntry;
use seva_api::pb::refunds::v1::list_refunds_request::Which;
use seva_api::pb::refunds::v1::{LineKind, ListRefundsRequest, Refund, RefundStep};
use seva_domain::values::Currency;

use crate::connect::Home;
use crate::{output, show, timeline};

/// A line of the story, and when it happened: lines of the same instant stay in the order they were found in.
type Line = ((i64, i32), String);

/// Reads it all back. Each line fits a terminal.
pub(crate) async fn tell(home: &Home, customer_id: &str) -> anyhow::Result<Vec<String>> {
    let (entries, _) = timeline::read(home, customer_id).await?;
    let case_id = entries.first().map(|entry| entry.case_id.clone()).context("nothing was said")?;
    let mut lines: Vec<Line> = entries.iter().map(said).collect();

    let question = GetEscalationRequest { case_id, read: None };
    let found = home.escalation()?.get_escalation(home.request(question)).await?.into_inner();
    let escalation = found.escalation.context("nothing was escalated")?;
    lines.extend(escalation.history.iter().map(climbed));

    let which = Some(Which::CustomerId(customer_id.to_owned()));
    let question = ListRefundsRequest { which, page: None, read: None };
    let listed = home.refunds()?.list_refunds(home.request(question)).await?.into_inner();
    for refund in listed.refunds.into_iter().filter_map(|aged| aged.refund) {
        lines.extend(refund.history.iter().map(|step| given_back(&refund, step)));
    }
    lines.sort_by_key(|(when, _)| *when);
    Ok(lines.into_iter().map(|(_, line)| line).collect())
}

fn line(at: Option<&prost_types::Timestamp>, who: &str, what: &str) -> Line {
    let when = at.map_or((0, 0), |at| (at.seconds, at.nanos));
    let text = format!("  {}  {}  {what}", show::time(at), output::pad(who, 14));
    (when, output::clip_end(&text))
}

fn said(entry: &TimelineEntry) -> Line {
    let (way, what, text) = show::entry(entry);
    let told = if text.is_empty() { what } else { format!("{what}: {text}") };
    line(entry.occurred_at.as_ref(), &way, &told)
}

fn climbed(step: &EscalationStep) -> Line {
    let rung = step.rung.replace('_', " ");
    let what = match step.event_type.as_str() {
        "escalation.raised.v1" => "raised".to_owned(),
        "escalation.placed.v1" => format!("waits for the {rung}"),
        "escalation.unanswered.v1" => format!("the {rung} did not answer in time"),
        "escalation.climbed.v1" => format!("climbed to the {rung}"),
        "escalation.accepted.v1" => format!("the {rung} accepted it ({})", step.actor),
        other => show::event(other),
    };
    line(step.at.as_ref(), "escalation", &what)
}

fn given_back(refund: &Refund, step: &RefundStep) -> Line {
    let total = refund.total.as_ref().map(money).unwrap_or_default();
    let what = match step.event_type.as_str() {
        "charge.refund_requested.v1" => format!("{total} requested ({})", parts(refund)),
        "charge.approval_given.v1" => format!("{total} approved by {}", step.actor),
        "charge.refund_declined.v1" => format!("{total} declined{}", declined(refund)),
        "charge.refund_instructed.v1" => format!("{total}: the payment provider is told"),
        "charge.attempt_lapsed.v1" => format!("{total}: no outcome in time, the provider is asked"),
        "charge.refund_unknown.v1" => format!("{total}: nobody can tell whether it was paid"),
        "charge.refund_paid.v1" => format!("{total} paid ({})", refund.payout),
        other => format!("{total} {}", show::event(other).replace("refund ", "")),
    };
    line(step.at.as_ref(), "refund", &what)
}

fn parts(refund: &Refund) -> String {
    let currency = refund.total.as_ref().map(|total| total.currency.clone()).unwrap_or_default();
    let part = |line: &seva_api::pb::refunds::v1::Line| {
        let amount = money(&Money { currency: currency.clone(), amount_minor: line.amount_minor });
        let kind = match line.kind() {
            LineKind::Principal => "taken too much",
            LineKind::Consequential => "what that cost",
            LineKind::Goodwill => "goodwill",
            LineKind::Unspecified => "",
        };
        format!("{amount} {kind}")
    };
    refund.lines.iter().map(part).collect::<Vec<_>>().join(", ")
}

fn declined(refund: &Refund) -> String {
    let currency = refund.total.as_ref().map(|total| total.currency.clone()).unwrap_or_default();
    match &refund.decline {
        Some(decline) => {
            let up_to = money(&Money { currency, amount_minor: decline.up_to_minor });
            format!(" by the policy, which gives {up_to} at most")
        }
        None => String::new(),
    }
}

/// An amount as people write it: `12.50 EUR`, `1250 JPY`.
fn money(money: &Money) -> String {
    let digits = Currency::parse(&money.currency).map_or(0, Currency::digits);
    let unit = 10_u64.pow(u32::from(digits));
    let (whole, rest) = (money.amount_minor / unit, money.amount_minor % unit);
    match digits {
        0 => format!("{whole} {}", money.currency),
        digits => format!("{whole}.{rest:0width$} {}", money.currency, width = usize::from(digits)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_digits_of_their_currency() {
        let written =
            |currency: &str, amount_minor| money(&Money { currency: currency.to_owned(), amount_minor });
        assert_eq!(written("EUR", 1_250), "12.50 EUR");
        assert_eq!(written("JPY", 1_250), "1250 JPY");
        assert_eq!(written("KWD", 1_250), "1.250 KWD");
        assert_eq!(written("USD", 5), "0.05 USD");
    }
}
