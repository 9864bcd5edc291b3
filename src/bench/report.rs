//! The report as a table for people.

use std::fmt::Write as _;

use serde_json::Value;

/// One line a figure.
pub(super) fn table(report: &Value) -> String {
    let mut text = format!(
        "{} + {}, {} jobs, {} at a time, {} bytes each, {} cores\n",
        word(&report["db"]),
        word(&report["transport"]),
        report["jobs"],
        report["concurrency"],
        report["payload_bytes"],
        report["cores"],
    );
    for (name, figures) in report["measures"].as_object().into_iter().flatten() {
        let figures: Vec<String> = figures
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, _)| !matches!(key.as_str(), "exact" | "cpu_counts"))
            .map(|(key, value)| format!("{key} {value}"))
            .collect();
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{name:13} {}", figures.join(", "));
    }
    for error in report["errors"].as_array().into_iter().flatten() {
        let _ = writeln!(text, "FAILED        {}", word(error));
    }
    text
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn figures_and_failures_are_shown() {
        let report = json!({
            "db": "sqlite", "transport": "redis", "jobs": 1, "concurrency": 2, "payload_bytes": 3,
            "cores": 4, "measures": { "drain": { "per_s": 5.5, "exact": {} } },
            "errors": ["due: stuck"],
        });
        let text = table(&report);
        assert!(
            text.contains("sqlite + redis, 1 jobs, 2 at a time"),
            "{text}"
        );
        assert!(text.contains("drain         per_s 5.5\n"), "{text}");
        assert!(text.contains("FAILED        due: stuck"), "{text}");
    }
}
