//! Who may know whom: the direct dependencies that the design allows each crate.

use super::Violation;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What one crate may name in its `[dependencies]`.
struct Allowed {
    krate: &'static str,
    /// Crates of this workspace.
    ours: &'static [&'static str],
    others: &'static [&'static str],
}

/// Useful to anybody who knows nothing of CiGri: not even their tests lean on its crates.
const STANDALONE: [&str; 3] = ["cigri-core", "oar-client", "oar-local"];

/// The design's table. A crate that is new here is a boundary to think about.
const TABLE: [Allowed; 9] = [
    Allowed {
        krate: "cigri-core",
        ours: &[],
        others: &[
            "base64",
            "cel",
            "chacha20",
            "chrono",
            "chrono-tz",
            "csv-core",
            "rust_decimal",
            "schemars",
            "serde",
            "serde_json",
            "shlex",
            "sobol_burley",
            "strsim",
            "thiserror",
            "toml",
        ],
    },
    Allowed {
        krate: "cigri-store",
        ours: &["cigri-core"],
        others: &[
            "chrono",
            "diesel",
            "diesel_migrations",
            "libsqlite3-sys",
            "percent-encoding",
            "pq-sys",
            "serde",
            "serde_json",
            "thiserror",
        ],
    },
    Allowed {
        krate: "oar-client",
        ours: &[],
        others: &[
            "base64",
            "bytes",
            "futures-util",
            "http",
            "jsonwebtoken",
            "percent-encoding",
            "reqwest",
            "rustls",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "url",
        ],
    },
    Allowed {
        krate: "oar-local",
        ours: &[],
        others: &[
            "actix-web",
            "bytes",
            "clap",
            "getrandom",
            "http",
            "jsonwebtoken",
            "nix",
            "percent-encoding",
            "rustix",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
        ],
    },
    Allowed { krate: "cigri-api", ours: &[], others: &["serde", "serde_json", "utoipa"] },
    Allowed {
        krate: "cigri-server",
        ours: &["cigri-api", "cigri-core", "cigri-store", "oar-client", "oar-local"],
        others: &[
            "actix-multipart",
            "actix-web",
            "bytes",
            "chacha20poly1305",
            "chrono",
            "clap",
            "config",
            "csv",
            "futures-util",
            "getrandom",
            "hmac",
            "http",
            "jsonwebtoken",
            "lettre",
            "nix",
            "prometheus-client",
            "rcgen",
            "reqwest",
            "rustls",
            "rustls-native-certs",
            "sasl",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
            "tokio",
            "tokio-rustls",
            "tokio-util",
            "tokio-xmpp",
            "tracing",
            "tracing-subscriber",
            "url",
        ],
    },
    Allowed {
        krate: "cigri-cli",
        ours: &["cigri-api", "cigri-core", "cigri-server", "cigri-sim", "oar-local"],
        others: &[
            "chrono",
            "clap",
            "comfy-table",
            "futures-util",
            "getrandom",
            "indicatif",
            "nix",
            "reqwest",
            "rustls",
            "serde",
            "serde_json",
            "sha2",
            "similar",
            "tempfile",
            "thiserror",
            "tokio",
            "toml",
            "tracing-subscriber",
        ],
    },
    Allowed {
        krate: "cigri-sim",
        ours: &["cigri-core"],
        others: &[
            "chacha20",
            "chrono-tz",
            "clap",
            "comfy-table",
            "rand_distr",
            "serde",
            "serde_json",
            "thiserror",
            "toml",
        ],
    },
    Allowed { krate: "xtask", ours: &["cigri-core"], others: &["nix", "serde_json"] },
];

/// Compares every manifest of the workspace at `root` with the table.
pub(super) fn check(root: &Path) -> Result<Vec<Violation>, String> {
    let metadata = read_metadata(root)?;
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    if packages.is_empty() {
        return Err("`cargo metadata` names no packages".into());
    }
    let checked = packages.iter().flat_map(|package| {
        let manifest = manifest_of(package, root);
        let text = std::fs::read_to_string(root.join(&manifest)).unwrap_or_default();
        check_package(package, &manifest, &text)
    });
    Ok(checked.collect())
}

fn read_metadata(root: &Path) -> Result<Value, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cannot start `cargo metadata`: {error}"))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("`cargo metadata` failed: {reason}"));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("`cargo metadata` printed no JSON: {error}"))
}

fn manifest_of(package: &Value, root: &Path) -> PathBuf {
    let full = PathBuf::from(package["manifest_path"].as_str().unwrap_or_default());
    full.strip_prefix(root).map(Path::to_owned).unwrap_or(full)
}

fn check_package(package: &Value, manifest: &Path, text: &str) -> Vec<Violation> {
    let name = package["name"].as_str().unwrap_or_default();
    let Some(allowed) = TABLE.iter().find(|allowed| allowed.krate == name) else {
        let message = format!("crate `{name}` is not in the table of crates");
        return vec![Violation::new(manifest, 1, message)];
    };
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    dependencies
        .filter_map(|dependency| refuse(allowed, dependency))
        .map(|(dependency, message)| {
            let line = text.lines().position(|l| l.starts_with(&dependency));
            Violation::new(manifest, line.map_or(1, |index| index + 1), message)
        })
        .collect()
}

/// The dependency's name and what is wrong with it.
fn refuse(allowed: &Allowed, dependency: &Value) -> Option<(String, String)> {
    let name = dependency["name"].as_str().unwrap_or_default();
    let is_ours = TABLE.iter().any(|row| row.krate == name);
    let is_normal = dependency["kind"].is_null();
    let is_allowed = match (is_normal, is_ours) {
        (true, true) => allowed.ours.contains(&name),
        (true, false) => allowed.others.contains(&name),
        (false, true) => !STANDALONE.contains(&allowed.krate),
        (false, false) => true,
    };
    let message = format!("`{}` may not depend on `{name}`", allowed.krate);
    (!is_allowed).then(|| (name.to_owned(), message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What is said of a crate with one dependency of a kind (`null` is a normal one).
    fn messages(krate: &str, dependency: &str, kind: Value) -> Vec<String> {
        let package = json!({
            "name": krate,
            "dependencies": [{ "name": dependency, "kind": kind }],
        });
        let text = format!("[dependencies]\n{dependency}.workspace = true\n");
        check_package(&package, Path::new("a/Cargo.toml"), &text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_dependency_outside_the_table_is_caught_on_its_line() {
        assert_eq!(
            messages("cigri-core", "tokio", Value::Null),
            ["a/Cargo.toml:2: `cigri-core` may not depend on `tokio`"]
        );
        assert_eq!(messages("cigri-cli", "cigri-store", Value::Null).len(), 1);
        assert_eq!(messages("oar-client", "cigri-core", Value::Null).len(), 1);
        assert!(messages("cigri-store", "diesel", Value::Null).is_empty());
    }

    #[test]
    fn tests_may_use_other_crates_but_standalone_crates_none_of_ours() {
        assert!(messages("cigri-core", "proptest", json!("dev")).is_empty());
        assert!(messages("cigri-cli", "cigri-store", json!("dev")).is_empty());
        for krate in STANDALONE {
            assert_eq!(messages(krate, "cigri-api", json!("dev")).len(), 1);
        }
    }

    #[test]
    fn an_unknown_crate_is_caught() {
        assert_eq!(
            messages("cigri-more", "serde", Value::Null),
            ["a/Cargo.toml:1: crate `cigri-more` is not in the table of crates"]
        );
    }

    #[test]
    fn the_table_has_no_circle() {
        fn reaches(from: &str, to: &str) -> bool {
            let row = TABLE.iter().find(|row| row.krate == from);
            row.is_some_and(|row| row.ours.iter().any(|o| *o == to || reaches(o, to)))
        }
        assert!(TABLE.iter().all(|row| !reaches(row.krate, row.krate)));
    }
}
