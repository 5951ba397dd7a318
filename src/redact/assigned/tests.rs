use super::*;

fn found(text: &str) -> Vec<&str> {
    values(text).into_iter().map(|range| &text[range]).collect()
}

#[test]
fn the_value_and_nothing_else() {
    for (text, expected) in [
        ("o=username=a,password=b", &["b"][..]),
        ("https://h/x?token=abc&n=1", &["abc"]),
        ("https://h/x?n=1&api_key=abc#top", &["abc"]),
        ("Server=db;User Id=sa;Password=my pass word;Encrypt=true", &["my pass word"]),
        ("Pwd=p w;Server=db", &["p w"]),
        ("Server=db;Password=\"a;b\";X=y", &["a;b"]),
        ("host=db password='a b' user=x", &["a b"]),
        ("run --password=hunter2 --user=x", &["hunter2"]),
        ("run --password hunter2 --user x", &["hunter2"]),
        ("--api-key \"a b\"", &["a b"]),
        ("curl -u admin:hunter2 http://h", &["hunter2"]),
        (r#"{"password":"a b","user":"x"}"#, &["a b"]),
        (r#"{"password": "a\"b"}"#, &["a\\\"b"]),
        (r#"{\"password\":\"a b\",\"user\":\"x\"}"#, &["a b"]),
        (r#"{"auths":{"r":{"auth":"dXNlcjpw"}}}"#, &["dXNlcjpw"]),
        ("token: abc\nuser: x", &["abc"]),
        ("Authorization: Bearer abc.def", &["abc.def"]),
        ("-H 'Authorization: Basic dTpw' x", &["dTpw"]),
        ("PASSWORD=a PGPASSWORD=b", &["a", "b"]),
        ("https://s3/x?X-Amz-Signature=abc&n=1", &["abc"]),
        ("password=/9j4AAQ", &["/9j4AAQ"]),
    ] {
        assert_eq!(found(text), expected, "{text}");
    }
}

#[test]
fn what_stays() {
    for text in [
        "",
        "=",
        ":",
        "--",
        "password",
        "password=",
        "password=\"\"",
        "a=b",
        "max_tokens=500",
        "token_ttl=5",
        "auth=true",
        "password=${DB_PASSWORD}",
        "token={{.Token}}",
        "registry/token:v2",
        "secret:latest",
        "image=token-server:1.0",
        "PASSWORD_FILE=/run/secrets/x",
        "--user 1000:1000",
        "--password-stdin",
        "run -u app:app x",
        "--secret id=x,src=y",
        "auth=ldap",
        "TLS_KEY=/certs/server.key",
        "password=/run/secrets/db",
        "--password --verbose",
        "password=[redacted] (secret-value)",
        "Host(`secret.example.com`)",
    ] {
        assert_eq!(found(text), [""; 0], "{text}");
    }
}
