//! The maps that come with the program, and how `--map` finds one.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::map::Map;
use crate::failure;

/// Name and text of each, in the order of the names.
pub(crate) const SHIPPED: [(&str, &str); 13] = [
    ("bengali_reviews", include_str!("../../maps/bengali_reviews.toml")),
    ("bitext", include_str!("../../maps/bitext.toml")),
    ("cfpb", include_str!("../../maps/cfpb.toml")),
    ("helpdesk_italian", include_str!("../../maps/helpdesk_italian.toml")),
    ("hindi_reviews", include_str!("../../maps/hindi_reviews.toml")),
    ("nhs_feedback", include_str!("../../maps/nhs_feedback.toml")),
    ("olist_orders", include_str!("../../maps/olist_orders.toml")),
    ("olist_reviews", include_str!("../../maps/olist_reviews.toml")),
    ("support_tickets", include_str!("../../maps/support_tickets.toml")),
    ("telecom_nps", include_str!("../../maps/telecom_nps.toml")),
    ("turkish_reviews", include_str!("../../maps/turkish_reviews.toml")),
    ("twcs", include_str!("../../maps/twcs.toml")),
    ("uci_retail", include_str!("../../maps/uci_retail.toml")),
];

/// Reads the map file named or, where there is no such file, the shipped map of that name.
pub(crate) fn find(name: &str) -> anyhow::Result<Map> {
    let from_file;
    let text = if Path::new(name).is_file() {
        from_file = fs::read_to_string(name).with_context(|| format!("cannot read the map {name}"))?;
        &from_file
    } else {
        let (_, text) = SHIPPED.iter().find(|(shipped, _)| *shipped == name).ok_or_else(|| {
            let names = SHIPPED.map(|(shipped, _)| shipped).join(", ");
            failure::usage(format!("there is no map `{name}`: it is neither a file nor one of {names}"))
        })?;
        *text
    };
    Map::parse(text).map_err(|e| failure::usage(format!("the map {name} cannot be used: {e}")))
}
