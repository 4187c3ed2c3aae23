//! The money of the files as a reader of the files alone reckons it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use anyhow::{Context as _, Result};

/// What was captured and paid back in one currency.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Totals {
    pub(crate) charges: u64,
    pub(crate) captured_minor: u64,
    pub(crate) paid: u64,
    pub(crate) paid_minor: u64,
}

impl Totals {
    fn capture(&mut self, minor: u64) {
        self.charges += 1;
        self.captured_minor += minor;
    }

    fn pay(&mut self, minor: u64) {
        self.paid += 1;
        self.paid_minor += minor;
    }
}

/// What Olist's files come to.
pub(crate) struct Olist {
    pub(crate) customers: u64,
    pub(crate) totals: Totals,
    /// What is neither a charge nor, cancelled, a refund, because it comes to nothing.
    pub(crate) rejected: u64,
}

/// Orders, each with the sum of its payments.
pub(crate) fn olist(folder: &Path) -> Result<Olist> {
    let orders = table(&folder.join("olist_orders.csv"))?;
    let mut paid: HashMap<String, u64> = HashMap::new();
    for payment in table(&folder.join("olist_order_payments.csv"))? {
        *paid.entry(payment["order_id"].clone()).or_default() += minor(&payment["payment_value"])?;
    }
    assert_eq!((orders.len(), paid.len()), (2_000, 2_000));
    let customers = table(&folder.join("olist_customers.csv"))?;
    let customers: BTreeSet<_> = customers.iter().map(|customer| &customer["customer_unique_id"]).collect();
    let (mut totals, mut rejected, mut cancelled) = (Totals::default(), 0, 0);
    for order in &orders {
        let is_cancelled = order["order_status"] == "canceled";
        cancelled += u64::from(is_cancelled);
        match paid[&order["order_id"]] {
            0 => rejected += 1 + u64::from(is_cancelled),
            amount => {
                totals.capture(amount);
                if is_cancelled {
                    totals.pay(amount);
                }
            }
        }
    }
    assert_eq!(cancelled, 160);
    Ok(Olist { customers: customers.len() as u64, totals, rejected })
}

/// What the shop's invoices come to.
pub(crate) struct Uci {
    pub(crate) totals: Totals,
    pub(crate) rejected: BTreeMap<String, u64>,
}

/// Invoices, and credit lines against the first that sold the same customer the same thing at the same price, in order of time.
pub(crate) fn uci(folder: &Path) -> Result<Uci> {
    let mut lines = table(&folder.join("uci_online_retail_2010-12-01_to_06.csv"))?;
    let is_credit = |line: &Record| line["InvoiceNo"].starts_with('C');
    let key =
        |line: &Record| (line["CustomerID"].clone(), line["StockCode"].clone(), line["UnitPrice"].clone());
    let (mut captured, mut sale) = (HashMap::<String, i64>::new(), HashMap::new());
    for line in lines.iter().filter(|line| !is_credit(line)) {
        *captured.entry(line["InvoiceNo"].clone()).or_default() += worth(line)?;
        sale.entry(key(line)).or_insert_with(|| line["InvoiceNo"].clone());
    }
    // Stable: lines of one minute stay in the order of the file.
    lines.sort_by(|a, b| a["InvoiceDate"].cmp(&b["InvoiceDate"]));
    let (mut totals, mut left) = (Totals::default(), HashMap::<String, i64>::new());
    let mut rejected: BTreeMap<String, u64> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut credits = 0;
    for line in &lines {
        if !is_credit(line) {
            let invoice = &line["InvoiceNo"];
            if seen.insert(invoice.clone()) {
                match captured[invoice] {
                    ..=0 => *rejected.entry("bad_amount".to_owned()).or_default() += 1,
                    amount => {
                        totals.capture(amount.unsigned_abs());
                        left.insert(invoice.clone(), amount);
                    }
                }
            }
            continue;
        }
        credits += 1;
        let amount = -worth(line)?;
        let invoice = sale.get(&key(line)).filter(|_| !line["CustomerID"].is_empty());
        let reason = match invoice.map(|invoice| left.get_mut(invoice)) {
            None => "empty",
            Some(None) => "unknown_name",
            Some(Some(left)) if *left < amount => "EXCEEDS_CAPTURED",
            Some(Some(left)) => {
                *left -= amount;
                totals.pay(amount.unsigned_abs());
                continue;
            }
        };
        *rejected.entry(reason.to_owned()).or_default() += 1;
    }
    assert_eq!(credits, 149);
    assert!(totals.paid <= 26, "{} credit lines have a sale before them", totals.paid);
    Ok(Uci { totals, rejected })
}

type Record = HashMap<String, String>;

fn table(file: &Path) -> Result<Vec<Record>> {
    let records = csv::Reader::from_path(file)?.deserialize().collect::<Result<Vec<Record>, _>>();
    records.with_context(|| format!("cannot read {}", file.display()))
}

/// What a line comes to, in pence.
fn worth(line: &Record) -> Result<i64> {
    Ok(i64::try_from(minor(&line["UnitPrice"])?)? * line["Quantity"].parse::<i64>()?)
}

/// `12.5` is 1250.
fn minor(decimal: &str) -> Result<u64> {
    let (whole, behind) = decimal.split_once('.').unwrap_or((decimal, ""));
    Ok(format!("{whole}{behind:0<2}").parse()?)
}
