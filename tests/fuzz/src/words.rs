//! Words that fields have been known to stumble over, and some that they like.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

const EDGES: &[&str] = &[
    "",
    " ",
    "\0",
    "\u{feff}",
    "\u{202e}gnihtemos",
    "e\u{301}\u{301}\u{301}",
    "நன்றி",
    "मसालदान",
    "👩‍👩‍👧‍👦",
    "null",
    "-0",
    "1e308",
    "NaN",
    "../../etc/passwd",
    "'; DROP TABLE cases; --",
    "seva.log.intake.>",
    "*",
    "{{7*7}}",
    "%00%0a",
    "\r\nseva-actor: manager",
    "cas_",
    "cas_00000000000000000000000000000000",
    "cas_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
    "cus_ffffffffffffffffffffffffffffffff",
    "chg_00000000000000000000000000000000",
    "rfd_00000000000000000000000000000000",
    "sug_00000000000000000000000000000000",
    "0-0",
    "ffffffffffffffff-ffffffffffffffff",
    "-ffffffffffffffffff",
    "18ea4b0c3f90b6d1-",
];

/// A word for a field of this name: what fits it, or what fits nothing.
pub(crate) fn word(field: &str, rng: &mut StdRng) -> String {
    match rng.random_range(0..10) {
        0..6 => fitting(field, rng),
        6..9 => EDGES.choose(rng).copied().unwrap_or_default().to_owned(),
        _ => {
            let chars = [64, 65, 129, 201, 2_001, 10_001, 70_000];
            let letter = ["x", "ß", "अ", "\u{301}", "𝄞"].choose(rng).copied().unwrap_or("x");
            letter.repeat(chars.choose(rng).copied().unwrap_or(1))
        }
    }
}

fn fitting(field: &str, rng: &mut StdRng) -> String {
    let n = rng.random_range(0..40);
    let fits: &[&str] = match field {
        "audience" | "department" => &["billing", "delivery", "marketing", "packaging", "product", "triage"],
        "currency" => &["EUR", "INR", "JPY", "KWD", "USD", "XXX"],
        "language" => &["bn", "en", "en-GB", "hi", "ta", "tr", "und"],
        "rung" => &["agent", "lead", "manager", "supervisor"],
        "read_model" | "name" => &["cases", "charges", "customers", "suggestions", "timeline", "versions"],
        "document" => return document(rng),
        "request_id" => return format!("request-{}", rng.random_range(0..100_000)),
        "value" => {
            return match n % 3 {
                0 => format!("caller{n}@example.com"),
                1 => format!("+1202555{n:04}"),
                _ => format!("account-{n}"),
            };
        }
        "import_key" => return format!("import-{}", n % 4),
        _ => return format!("{field} {n}"),
    };
    fits.choose(rng).copied().unwrap_or_default().to_owned()
}

/// A policy's document, or nearly one.
fn document(rng: &mut StdRng) -> String {
    let titles =
        ["title = \"One\"", "title = 1", "title = \"One\"\n[case]", "[[routing.tables]]\nrows = []", "= ="];
    titles.choose(rng).copied().unwrap_or_default().to_owned()
}
