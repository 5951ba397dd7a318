//! Embeds `src/ui`: every file compressed once, parts under the hash of all, pages with the policy that fits
//! them; and `docs/openapi.yaml`, as JSON.

#[path = "build/script.rs"]
mod script;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Routes of the pages; every other file is a part.
const PAGES: [(&str, &str); 6] = [
    ("index.html", "/"),
    ("compare.html", "/compare"),
    ("login.html", "/login"),
    ("demo/sse.html", "/demo/sse"),
    ("demo/polling.html", "/demo/polling"),
    ("demo/websocket.html", "/demo/websocket"),
];

/// The script that runs by itself, outside a page, and thus under a policy of its own.
const WORKER: &str = "worker.js";
const WORKER_POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'";

/// The description of the routes, and the route that sends it.
const DESCRIPTION: (&str, &str) = ("docs/openapi.yaml", "/api/v1/openapi.json");

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=src/ui");
    println!("cargo::rerun-if-changed={}", DESCRIPTION.0);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    let root = Path::new("src/ui");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?);
    let mut files = Vec::new();
    collect(root, root, &mut files)?;
    files.sort();
    let mut all = Sha256::new();
    for (name, bytes) in &files {
        all.update(name);
        all.update([0]);
        all.update(bytes);
    }
    let hash = hex(&all.finalize(), 8);
    let mut preloads = String::new();
    for name in imported("live.js", &files) {
        let _ = writeln!(preloads, "<link rel=\"modulepreload\" href=\"assets/@HASH@/{name}\">");
    }
    let mut table = format!("const ASSETS_HASH: &str = {hash:?};\nstatic ASSETS: &[Asset] = &[\n");
    for (name, bytes) in files {
        let page = PAGES.iter().find(|(file, _)| *file == name).map(|(_, route)| *route);
        let content_type = content_type(&name);
        let bytes = if content_type.starts_with("text/html") {
            String::from_utf8_lossy(&bytes).replace("@PRELOAD@", &preloads).replace("@HASH@", &hash).into_bytes()
        } else if content_type.starts_with("text/javascript") {
            script::packed(&String::from_utf8_lossy(&bytes)).map_err(|why| io::Error::other(format!("{name}:{why}")))?.into_bytes()
        } else if content_type.starts_with("text/css") {
            without_comments(&String::from_utf8_lossy(&bytes)).into_bytes()
        } else {
            bytes
        };
        let policy = match page {
            Some(_) => policy(&String::from_utf8_lossy(&bytes)),
            None if name == WORKER => WORKER_POLICY.to_owned(),
            None => String::new(),
        };
        let path = page.unwrap_or(&name);
        table.push_str(&embed(&out, &Asset { path, content_type, policy: &policy, bytes: &bytes })?);
    }
    let asset = Asset { path: DESCRIPTION.1, content_type: "application/json", policy: "", bytes: &description()? };
    table.push_str(&embed(&out, &asset)?);
    table.push_str("];\n");
    fs::write(out.join("assets.rs"), table)
}

/// The parts that a part imports, and those that they import, in the order in which they are met. A browser
/// that is told of all of them asks for them at once, not one floor after the other.
fn imported(start: &str, files: &[(String, Vec<u8>)]) -> Vec<String> {
    let mut names = vec![start.to_owned()];
    let mut next = 0;
    while let Some(name) = names.get(next) {
        let text = files.iter().find(|(file, _)| file == name).map(|(_, bytes)| String::from_utf8_lossy(bytes)).unwrap_or_default();
        for line in text.lines().filter(|line| line.starts_with("import ")) {
            let part = line.split_once(" from './").and_then(|(_, rest)| rest.split_once('\'')).map(|(part, _)| part.to_owned());
            names.extend(part.filter(|part| !names.contains(part)));
        }
        next += 1;
    }
    names.split_off(1)
}

/// One file as the server sends it.
struct Asset<'a> {
    path: &'a str,
    content_type: &'a str,
    policy: &'a str,
    bytes: &'a [u8],
}

/// Writes an asset in each coding; returns its line in the table.
fn embed(out: &Path, asset: &Asset) -> io::Result<String> {
    let Asset { path, content_type, policy, bytes } = asset;
    let etag = format!("W/\"{}\"", hex(&Sha256::digest(bytes), 12));
    let mut line = format!("Asset {{ path: {path:?}, content_type: {content_type:?}, etag: {etag:?}, policy: {policy:?},\n");
    for (field, data) in [("plain", bytes.to_vec()), ("gzip", gzip(bytes)?), ("brotli", brotli(bytes)?)] {
        let file = out.join(format!("{}.{field}", path.replace('/', "+")));
        fs::write(&file, data)?;
        let _ = writeln!(line, "{field}: include_bytes!({:?}),", file.display().to_string());
    }
    line.push_str("},\n");
    Ok(line)
}

/// Sheets as they are sent: without comments and indentation. What else could go is 200 bytes of all of them,
/// compressed.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((code, comment)) = rest.split_once("/*") {
        out.push_str(code);
        rest = comment.split_once("*/").map_or("", |(_, rest)| rest);
    }
    out.push_str(rest);
    out.lines().map(str::trim).filter(|line| !line.is_empty()).flat_map(|line| [line, "\n"]).collect()
}

/// The description of the routes as JSON.
fn description() -> io::Result<Vec<u8>> {
    let text = fs::read_to_string(DESCRIPTION.0)?;
    let description: serde_json::Value = serde_saphyr::from_str(&text).map_err(|e| io::Error::other(format!("{}: {e}", DESCRIPTION.0)))?;
    let version = env!("CARGO_PKG_VERSION");
    if description.pointer("/info/version").is_none_or(|told| told != version) {
        return Err(io::Error::other(format!("info.version of {} must be {version}, as in Cargo.toml", DESCRIPTION.0)));
    }
    Ok(serde_json::to_vec(&description)?)
}

fn collect(root: &Path, dir: &Path, files: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if let Ok(name) = path.strip_prefix(root) {
            files.push((name.to_string_lossy().into_owned(), fs::read(&path)?));
        }
    }
    Ok(())
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// Scripts and styles only from here, or inline ones with exactly these bytes.
fn policy(html: &str) -> String {
    let hashes = |tag: &str| {
        let mut out = String::new();
        for inline in html.split(&format!("<{tag}>")).skip(1) {
            let body = inline.split(&format!("</{tag}>")).next().unwrap_or("");
            let _ = write!(out, " 'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(body)));
        }
        out
    };
    format!(
        "default-src 'none'; script-src 'self'{}; style-src 'self'{}; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action {}; frame-ancestors 'none'",
        hashes("script"),
        hashes("style"),
        if html.contains("<form method") { "'self'" } else { "'none'" }
    )
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn brotli(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &bytes[..], &mut out, &brotli::enc::BrotliEncoderParams::default())?;
    Ok(out)
}

fn hex(bytes: &[u8], count: usize) -> String {
    hex::encode(bytes.get(..count).unwrap_or(bytes))
}
