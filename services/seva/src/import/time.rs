//! Instants out of the many ways in which files write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::TimeZone;

use super::map::{MapError, Times};
use super::read::Row;
use super::source::{Columns, cell};

/// How a row's time is found.
#[derive(Debug)]
pub(crate) enum When {
    /// All rows have the same.
    Always(Timestamp),
    /// A column has it, in one of these forms.
    Column { column: usize, forms: Forms },
}

impl When {
    /// Binds and checks the map's `occurred_at`.
    pub(crate) fn new(times: &Times, columns: &Columns) -> Result<When, MapError> {
        let place = "fields.occurred_at";
        match (&times.constant, &times.column) {
            (Some(constant), None) => match constant.parse() {
                Ok(instant) => Ok(When::Always(instant)),
                Err(_) => Err(MapError::at(
                    place,
                    format!("has the const `{constant}`, which is no instant such as 2020-01-01T00:00:00Z"),
                )),
            },
            (None, Some(column)) => Ok(When::Column {
                column: columns.place(column, place)?,
                forms: Forms::new(&times.forms, times.zone.as_deref())?,
            }),
            _ => Err(MapError::at(place, "needs exactly one of const, column")),
        }
    }

    /// The row's instant; `None` if its column fits none of the forms.
    pub(crate) fn of(&self, row: &Row) -> Option<Timestamp> {
        match self {
            When::Always(instant) => Some(*instant),
            When::Column { column, forms } => forms.parse(cell(row, *column)),
        }
    }
}

/// Forms of time, tried in order.
#[derive(Debug)]
pub(crate) struct Forms {
    forms: Vec<Form>,
    zone: Option<TimeZone>,
}

#[derive(Debug)]
enum Form {
    Iso,
    Strptime { form: String, has_zone: bool },
}

impl Forms {
    /// Checks forms and zone.
    pub(crate) fn new(forms: &[String], zone: Option<&str>) -> Result<Forms, MapError> {
        let place = "fields.occurred_at";
        let zone = match zone {
            None => None,
            Some(name) => {
                let found = TimeZone::get(name)
                    .map_err(|_| MapError::at(place, format!("does not know the time zone `{name}`")))?;
                Some(found)
            }
        };
        if forms.is_empty() {
            return Err(MapError::at(place, "lists no forms"));
        }
        let mut checked = Vec::new();
        for form in forms {
            let form = Form::new(form)?;
            if zone.is_none() && !matches!(form, Form::Strptime { has_zone: true, .. }) {
                return Err(MapError::at(place, "needs a zone: a form can stand without offset or zone"));
            }
            checked.push(form);
        }
        Ok(Forms { forms: checked, zone })
    }

    /// The instant that the first fitting form makes of a text.
    pub(crate) fn parse(&self, text: &str) -> Option<Timestamp> {
        self.forms.iter().find_map(|form| match form {
            Form::Iso => text.parse::<Timestamp>().ok().or_else(|| self.local(text.parse().ok()?)),
            Form::Strptime { form, has_zone } => {
                let parts = BrokenDownTime::parse(form, text).ok()?;
                if *has_zone {
                    parts.to_timestamp().or_else(|_| parts.to_zoned().map(|zoned| zoned.timestamp())).ok()
                } else {
                    self.local(parts.to_datetime().ok()?)
                }
            }
        })
    }

    fn local(&self, time: DateTime) -> Option<Timestamp> {
        self.zone.as_ref()?.to_ambiguous_timestamp(time).compatible().ok()
    }
}

impl Form {
    /// Tries a form on a known instant, so that a wrong directive is found before the first row.
    fn new(form: &str) -> Result<Form, MapError> {
        if form == "iso" {
            return Ok(Form::Iso);
        }
        let wrong = |e: jiff::Error| {
            MapError::at("fields.occurred_at", format!("has the form `{form}`, which cannot be read: {e}"))
        };
        let written = strtime::format(form, &Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC)).map_err(wrong)?;
        BrokenDownTime::parse(form, &written)
            .and_then(|parts| parts.to_datetime().map(|_| ()).or_else(|_| parts.to_timestamp().map(|_| ())))
            .map_err(wrong)?;
        let has_zone = ["%z", "%:z", "%Q", "%:Q", "%s"].iter().any(|directive| form.contains(directive));
        Ok(Form::Strptime { form: form.to_owned(), has_zone })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(forms: &[&str], zone: Option<&str>) -> Result<Forms, MapError> {
        Forms::new(&forms.iter().map(|form| (*form).to_owned()).collect::<Vec<_>>(), zone)
    }

    fn parsed(form: &str, zone: Option<&str>, text: &str) -> Option<String> {
        forms(&[form], zone).unwrap().parse(text).map(|instant| instant.to_string())
    }

    #[test]
    fn a_form_with_an_offset_needs_no_zone() {
        let form = "%a %b %d %H:%M:%S %z %Y";
        assert_eq!(
            parsed(form, None, "Tue Oct 31 22:10:47 +0000 2017").as_deref(),
            Some("2017-10-31T22:10:47Z")
        );
        assert_eq!(
            parsed(form, None, "Tue Oct 31 22:10:47 -0530 2017").as_deref(),
            Some("2017-11-01T03:40:47Z")
        );
        assert_eq!(
            parsed(form, None, "Mon Oct 31 22:10:47 +0000 2017"),
            None,
            "the day of the week must fit"
        );
        assert_eq!(parsed("%s", None, "86400").as_deref(), Some("1970-01-02T00:00:00Z"));
        assert_eq!(
            parsed("%Y-%m-%d %H:%M %Q", None, "2024-07-01 12:00 Asia/Kolkata").as_deref(),
            Some("2024-07-01T06:30:00Z")
        );
    }

    #[test]
    fn a_local_time_is_read_in_the_maps_zone() {
        let zone = Some("America/New_York");
        assert_eq!(parsed("iso", zone, "2023-08-25").as_deref(), Some("2023-08-25T04:00:00Z"));
        assert_eq!(parsed("iso", zone, "2023-01-25 10:30").as_deref(), Some("2023-01-25T15:30:00Z"));
        assert_eq!(parsed("iso", zone, "2023-01-25T10:30:00+02:00").as_deref(), Some("2023-01-25T08:30:00Z"));
        assert_eq!(
            parsed("%m/%d/%Y %I:%M:%S %p", zone, "07/04/2019 01:02:03 PM").as_deref(),
            Some("2019-07-04T17:02:03Z")
        );
    }

    #[test]
    fn clocks_that_change_have_one_stated_answer() {
        let zone = Some("Europe/London");
        assert_eq!(parsed("iso", zone, "2023-10-29 01:30").as_deref(), Some("2023-10-29T00:30:00Z"));
        assert_eq!(parsed("iso", zone, "2023-03-26 01:30").as_deref(), Some("2023-03-26T01:30:00Z"));
    }

    #[test]
    fn the_first_form_that_fits_is_taken() {
        let forms = forms(&["%d/%m/%Y", "iso"], Some("UTC")).unwrap();
        assert_eq!(forms.parse("02/01/2020").unwrap().to_string(), "2020-01-02T00:00:00Z");
        assert_eq!(forms.parse("2020-01-02").unwrap().to_string(), "2020-01-02T00:00:00Z");
        assert_eq!(forms.parse("yesterday"), None);
        assert_eq!(forms.parse(""), None);
        assert_eq!(forms.parse("30/02/2020"), None);
    }

    #[test]
    fn a_wrong_form_or_zone_is_found_before_the_first_row() {
        assert!(forms(&["%d/%m/%Y"], None).unwrap_err().to_string().contains("needs a zone"));
        assert!(forms(&["%d/%J"], Some("UTC")).unwrap_err().to_string().contains("%d/%J"));
        assert!(forms(&["%H:%M"], Some("UTC")).is_err(), "a time without a day is no instant");
        assert!(forms(&["iso"], Some("Mars/Olympus")).unwrap_err().to_string().contains("Mars/Olympus"));
        assert!(forms(&[], Some("UTC")).is_err());
    }
}
