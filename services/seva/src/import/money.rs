//! Amounts of money out of decimals: whole numbers all the way, and refused where they would not be.

use seva_api::pb::common::v1::Money;
use seva_domain::values::{AMOUNT_MINOR_MAX, Currency};

use super::map::{self, MapError};
use super::read::Row;
use super::reject::{Reason, Reject};
use super::source::{Bound, Columns};

/// How many digits behind the point a decimal may have.
const DIGITS_MAX: usize = 9;

/// A map's amount, bound to a file's columns.
#[derive(Debug)]
pub(crate) struct Amount {
    currency: Bound,
    decimal: Bound,
    times: Option<Bound>,
    negate: bool,
}

impl Amount {
    /// Binds an amount that the map's check has passed.
    pub(crate) fn new(money: &map::Money, columns: &Columns, place: &str) -> Result<Amount, MapError> {
        let times = money.times.as_ref();
        Ok(Amount {
            currency: Bound::new(&money.currency, columns, &format!("{place}.currency"))?,
            decimal: Bound::new(&money.decimal, columns, &format!("{place}.decimal"))?,
            times: times.map(|times| Bound::new(times, columns, &format!("{place}.times"))).transpose()?,
            negate: money.negate,
        })
    }

    /// What a row, or all the rows of a group, come to.
    pub(crate) fn of(&self, row: &Row) -> Result<Money, Reject> {
        let reject = |message: &str| Reject::of_field(row.line, Reason::BadAmount, "amount", message);
        let currency = self.currency(row, &row.values)?;
        let mut sum: i128 = 0;
        for values in std::iter::once(&row.values).chain(&row.more) {
            if self.currency(row, values)? != currency {
                return Err(reject("is in several currencies"));
            }
            let one = self
                .one(values)
                .ok_or_else(|| reject("is not a decimal number, or its times no whole one"))?;
            sum = sum.checked_add(one).ok_or_else(|| reject("is too large"))?;
        }
        let sum = if self.negate { -sum } else { sum };
        let minor =
            minor(sum, currency).ok_or_else(|| reject("is no whole number of the currency's minor units"))?;
        match u64::try_from(minor) {
            Ok(1..=AMOUNT_MINOR_MAX) => {}
            Ok(0) | Err(_) if minor <= 0 => return Err(reject("is not above nothing")),
            Ok(_) | Err(_) => return Err(reject("is too large")),
        }
        let amount_minor = u64::try_from(minor).unwrap_or_default();
        Ok(Money { currency: currency.code().to_owned(), amount_minor })
    }

    fn currency(&self, row: &Row, values: &[String]) -> Result<Currency, Reject> {
        let code = self.currency.value_of(values).unwrap_or_default();
        Currency::parse(&code).ok_or_else(|| {
            Reject::of_field(
                row.line,
                Reason::UnknownValue,
                "amount.currency",
                "is not a currency of ISO 4217",
            )
        })
    }

    /// One row's amount, in units of the last digit that a decimal may have.
    fn one(&self, values: &[String]) -> Option<i128> {
        let decimal = scaled(&self.decimal.value_of(values).ok()?)?;
        match &self.times {
            None => Some(decimal),
            Some(times) => decimal.checked_mul(times.value_of(values).ok()?.parse().ok()?),
        }
    }
}

/// A decimal such as `-12.50` as so many billionths.
fn scaled(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, behind) = digits.split_once('.').unwrap_or((digits, ""));
    let are_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !are_digits(whole) || !are_digits(behind) || behind.len() > DIGITS_MAX {
        return None;
    }
    let scaled: i128 = format!("{whole}{behind:0<DIGITS_MAX$}").parse().ok()?;
    Some(if negative { -scaled } else { scaled })
}

/// Billionths as minor units, if they are whole ones.
fn minor(scaled: i128, currency: Currency) -> Option<i128> {
    let behind = DIGITS_MAX.checked_sub(usize::from(currency.digits()))?;
    let one = 10i128.checked_pow(u32::try_from(behind).ok()?)?;
    (scaled % one == 0).then_some(scaled / one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minor_of(text: &str, code: &str) -> Option<i128> {
        minor(scaled(text)?, Currency::parse(code).unwrap())
    }

    #[test]
    fn a_decimal_is_so_many_minor_units_of_its_currency() {
        assert_eq!(minor_of("12.50", "EUR"), Some(1_250));
        assert_eq!(minor_of("12.5", "EUR"), Some(1_250));
        assert_eq!(minor_of("0.1", "EUR"), Some(10));
        assert_eq!(minor_of("-3", "EUR"), Some(-300));
        assert_eq!(minor_of("1250", "JPY"), Some(1_250));
        assert_eq!(minor_of("1250.0", "JPY"), Some(1_250));
        assert_eq!(minor_of("1.25", "KWD"), Some(1_250));
        assert_eq!(
            minor_of("12345678901234567.89", "EUR"),
            Some(1_234_567_890_123_456_789),
            "not by way of a float"
        );
    }

    #[test]
    fn what_is_no_whole_number_of_them_is_refused() {
        for (text, code) in [
            ("12.505", "EUR"),
            ("0.5", "JPY"),
            ("1.2345", "KWD"),
            ("", "EUR"),
            ("-", "EUR"),
            (".5", "EUR"),
            ("1e3", "EUR"),
            ("1,5", "EUR"),
            ("+1", "EUR"),
            ("1.2.3", "EUR"),
        ] {
            assert_eq!(minor_of(text, code), None, "{text} {code}");
        }
    }
}
