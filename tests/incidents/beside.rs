//! Last words and messages in reports.

use crate::reports::Opened;
use crate::tape::Tape;
use shipslog::report::{Format, MAX_LAST_WORDS, MAX_NOTIFIED};

const SECRET_FENCE: &str = "``` @here <b>";

fn words(tape: &mut Tape, id: &str, died: &str, text: &str) {
    let attributes = [("name", "web"), ("kind", "container"), ("died", died), ("lines", "2"), ("text", text)];
    tape.about("last-words", id, &attributes);
}

fn notified(tape: &mut Tape, incident: &str, occasion: &str, status: &str) {
    let attributes = [("hook", "ops"), ("incident", incident), ("occasion", occasion), ("severity", "minor"), ("status", status)];
    tape.about("notified", "ops", &attributes);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_printed_stands_at_its_death_and_who_was_told_is_named() {
    let id = format!("{:064}", 1);
    let died = std::sync::Mutex::new(String::new());
    let tape = |log: &str| {
        let mut tape = Tape::new();
        tape.of(&id, "start", &[("name", "web")]).wait(5000).of(&id, "die", &[("name", "web"), ("exitCode", "1")]);
        let first = format!("{log}-{}c", tape.records.len());
        *died.lock().unwrap() = tape.records.last().unwrap().time.to_string();
        let died = tape.records.last().unwrap().time.to_string();
        tape.wait(30);
        words(&mut tape, &id, &died, &format!("1970 first\n1970 {SECRET_FENCE}"));
        // Another container's, and of another time: not of this incident.
        words(&mut tape, &format!("{:064}", 2).replace('0', "a"), "1970-01-01T00:00:00.000000001Z", "nothing of this");
        tape.wait(3000);
        notified(&mut tape, &first, "opened", "204");
        tape.wait(1000).of(&id, "destroy", &[("name", "web")]);
        // Long after its end.
        tape.wait(3_600_000);
        notified(&mut tape, &first, "closed", "failed");
        notified(&mut tape, "7f3c9a1e-99c", "opened", "204");
        tape
    };
    let report = Opened::of(tape).await.all().await;
    let told = &report.incidents[0];
    let shown: Vec<(&str, &str)> = told.notified.iter().map(|one| (&*one.occasion, &*one.status)).collect();
    assert_eq!(shown, [("opened", "204"), ("closed", "failed")], "{told:?}");
    let [last] = told.last_words.as_slice() else { panic!("{told:?}") };
    assert_eq!((last.lines.len(), last.died.unwrap().to_string(), last.subject.as_str()), (2, died.lock().unwrap().clone(), "web"));

    let markdown = report.render(Format::Markdown);
    assert!(
        markdown.contains("Last words") && markdown.contains(&format!("````text\n1970 first\n1970 {SECRET_FENCE}\n````")),
        "{markdown}"
    );
    assert!(markdown.contains("ops was told, 204 at") && markdown.contains("ops could not be told at"), "{markdown}");
    let html = report.render(Format::Html);
    let row = html.find("</svg>ended with exit 1").unwrap();
    let printed = html.find("<pre>1970 first\n1970 ``` @here &lt;b&gt;</pre>").unwrap();
    let next = html[row..].find("<tr class=\"change\"").map(|at| row + at).unwrap();
    assert!(row < printed && printed < next, "at the death, before what followed: {html}");
    assert!(html.contains("<dt>Told</dt>") && !html.contains("nothing of this"), "{html}");
    let json: serde_json::Value = serde_json::from_str(&report.render(Format::Json)).unwrap();
    assert_eq!(json["incidents"][0]["last_words"][0]["lines"][0], "1970 first");
    assert_eq!(json["incidents"][0]["notified"][1]["status"], "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn last_words_and_messages_of_an_incident_are_bounded() {
    let id = format!("{:064}", 1);
    let tape = |log: &str| {
        let mut tape = Tape::new();
        tape.of(&id, "start", &[("name", "web")]).wait(5000);
        let first = format!("{log}-{}c", tape.records.len() + 1);
        let deaths = 2 * MAX_LAST_WORDS;
        for n in 0..deaths {
            tape.of(&id, "die", &[("name", "web"), ("exitCode", "1")]);
            let died = tape.records.last().unwrap().time.to_string();
            tape.wait(30);
            let text: Vec<String> = (0..2000).map(|line| format!("{n} line {line} of what it printed")).collect();
            words(&mut tape, &id, &died, &text.join("\n"));
            tape.wait(500).of(&id, "start", &[("name", "web")]).wait(500);
        }
        tape.wait(5000);
        for _ in 0..2 * MAX_NOTIFIED {
            notified(&mut tape, &first, "rose", "204");
        }
        tape
    };
    let report = Opened::of(tape).await.all().await;
    let told = &report.incidents[0];
    assert_eq!((told.last_words.len(), told.last_words_more, told.notified.len()), (MAX_LAST_WORDS, 5, MAX_NOTIFIED));
    let first_words: Vec<&str> = told.last_words.iter().map(|words| words.lines[0].split(' ').next().unwrap()).collect();
    assert_eq!(first_words, ["0", "6", "7", "8", "9"], "the first death and the newest");
    for words in &told.last_words {
        let bytes: usize = words.lines.iter().map(String::len).sum();
        assert!(bytes <= 16 << 10 && words.left_out > 0 && words.lines.last().unwrap().contains("line 1999"), "{bytes}");
    }
}
