//! What clients of the chat say, as JSON. It is read, or refused with what is wrong, which is JSON again; nothing panics.
#![no_main]

use serde_json::{Value, json};
use wire::Said;

#[allow(dead_code, reason = "what the server says is another matter")]
#[path = "../../ws-mio-server/src/app/chat/wire.rs"]
mod wire;

const LONGEST: usize = 100;

libfuzzer_sys::fuzz_target!(|text: &str| fuzz::within(text.len(), 200, 16 * 1024, || {
    let value = serde_json::from_str::<Value>(text).ok();
    match wire::read(text, LONGEST) {
        Ok(said) => {
            let value = value.expect("it is JSON");
            let again = match &said {
                Said::Message { content, client_id } => {
                    assert!(content.len() <= LONGEST);
                    assert_eq!(value["content"], **content);
                    let id = client_id.as_deref();
                    assert!(id.is_none_or(|id| (1..=wire::MAX_CLIENT_ID).contains(&id.len())));
                    assert_eq!(value["clientId"].as_str(), id);
                    json!({ "type": "message", "content": content, "clientId": client_id })
                }
                Said::Typing(is_typing) => json!({ "type": "typing", "isTyping": is_typing }),
            };
            assert_eq!(wire::read(&again.to_string(), LONGEST), Ok(said));
        }
        Err(complaint) => {
            assert!(!complaint.message.is_empty());
            let said: Value = serde_json::from_str(&wire::error(&complaint)).expect("it is JSON");
            assert_eq!((&said["type"], &said["code"]), (&json!("error"), &json!(complaint.code)));
            assert_eq!(said["message"], *complaint.message);
            // Whoever calls a message by a good name is told which one it was.
            let object = value.filter(Value::is_object).unwrap_or_default();
            let known = complaint.client_id.as_deref();
            assert!(known.is_none() || known == object["clientId"].as_str());
            assert_eq!(said["clientId"].as_str(), known);
        }
    }
}));
