//! The posts as a small REST store: they can be listed, read, made, replaced, amended and deleted.
//!
//! A post that nobody touched is made anew from the seed whenever it is asked for; kept is only what was
//! changed. Every origin starts with the same posts.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use hyper::Method;
use serde::Deserialize;

use super::prose::{self, Post};
use crate::chance::fnv1a;
use crate::text::shown;

/// The path of all posts; one is below it, under its id.
const ALL: &str = "/posts";

/// The list has the first posts alone, so that no request makes a body of gigabytes.
const LISTED: usize = 1000;

/// Changed and created posts take no more than this, in bytes.
const MOST_MEMORY: usize = 256 * 1024 * 1024;

/// Posts made in an origin's lifetime, deleted ones included.
const MOST_CREATED: usize = 10_000_000;

/// What a post takes beside its texts, in bytes and roughly.
const BESIDE_TEXTS: usize = 128;

/// What a request for `/posts` or below asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// The first posts.
    List,
    /// One post.
    Read(u64),
    /// A new post, from all that one has.
    Create,
    /// Another post in the place of one.
    Replace(u64),
    /// One post with some of it changed (RFC 7396).
    Amend(u64),
    /// One post less.
    Delete(u64),
}

/// Where a request for the posts leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// To the store.
    To(Wish),
    /// Nowhere: only these methods are answered there.
    Only(&'static str),
}

impl Route {
    /// Where a request leads; none when its path isn't one of posts.
    pub(super) fn of(method: &Method, path: &str) -> Option<Route> {
        let rest = path.strip_prefix(ALL)?;
        if rest.is_empty() {
            return Some(match *method {
                Method::GET | Method::HEAD => Route::To(Wish::List),
                Method::POST => Route::To(Wish::Create),
                _ => Route::Only("GET, HEAD, POST"),
            });
        }
        let digits = rest.strip_prefix('/')?;
        let id = digits.parse::<u64>().ok().filter(|id| id.to_string() == digits)?;
        Some(match *method {
            Method::GET | Method::HEAD => Route::To(Wish::Read(id)),
            Method::PUT => Route::To(Wish::Replace(id)),
            Method::PATCH => Route::To(Wish::Amend(id)),
            Method::DELETE => Route::To(Wish::Delete(id)),
            _ => Route::Only("GET, HEAD, PUT, PATCH, DELETE"),
        })
    }
}

impl Wish {
    /// Whether the request's body says what to do.
    pub(super) fn has_body(self) -> bool {
        matches!(self, Wish::Create | Wish::Replace(_) | Wish::Amend(_))
    }

    /// Whether a body of the media type, which is in lower case and without parameters, is understood.
    pub(super) fn takes(self, media_type: &str) -> bool {
        media_type == "application/json"
            || matches!(self, Wish::Amend(_)) && media_type == "application/merge-patch+json"
    }

    fn id(self) -> Option<u64> {
        match self {
            Wish::List | Wish::Create => None,
            Wish::Read(id) | Wish::Replace(id) | Wish::Amend(id) | Wish::Delete(id) => Some(id),
        }
    }
}

/// What came of a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Granted {
    /// The posts, or the one that was read, replaced or amended: JSON.
    Json(String),
    /// It was made.
    Created {
        /// The new post, as JSON.
        json: String,
        /// Where it is from now on.
        path: String,
    },
    /// It is gone.
    Deleted,
    /// There is none with that id.
    Missing,
    /// The body is no post; why, in a line.
    Invalid(String),
    /// No more can be kept.
    Full,
}

/// What a client says of a post.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    id: Option<u64>,
    #[serde(rename = "userId")]
    user_id: Option<u64>,
    title: Option<String>,
    body: Option<String>,
}

impl Draft {
    fn read(body: &[u8]) -> Result<Draft, String> {
        // A list of the fields' values would be taken for a post, too.
        if body.trim_ascii_start().first() == Some(&b'[') {
            return Err("the body is not a post: it is a list".to_owned());
        }
        let draft: Draft =
            serde_json::from_slice(body).map_err(|error| format!("the body is not a post: {error}"))?;
        for (name, text) in [("title", &draft.title), ("body", &draft.body)] {
            if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
                return Err(format!("the post's {name} is empty"));
            }
        }
        Ok(draft)
    }

    /// The whole post under `id`.
    fn whole(self, id: u64) -> Result<Post, String> {
        let (Some(title), Some(body)) = (self.title, self.body) else {
            return Err("a post needs a title and a body".to_owned());
        };
        Ok(Post { id, user_id: self.user_id.unwrap_or(1), title: title.into(), body })
    }

    /// The post with what is said here changed.
    fn amend(self, post: Post) -> Post {
        Post {
            id: post.id,
            user_id: self.user_id.unwrap_or(post.user_id),
            title: self.title.map_or(post.title, Into::into),
            body: self.body.unwrap_or(post.body),
        }
    }

    fn check_id(&self, id: Option<u64>) -> Result<(), String> {
        match (self.id, id) {
            (None, _) => Ok(()),
            (Some(said), Some(id)) if said == id => Ok(()),
            (Some(_), Some(id)) => Err(format!("the post's id is {id}, and stays it")),
            (Some(_), None) => Err("a new post is given its id; leave it out".to_owned()),
        }
    }
}

/// The posts of one origin.
#[derive(Debug)]
pub(super) struct Posts {
    seed: u64,
    /// Posts from the start; their ids are 1 to this.
    given: u64,
    changes: Mutex<Changes>,
}

#[derive(Debug, Default)]
struct Changes {
    /// Given posts that are not what they were; none for a deleted one.
    given: BTreeMap<u64, Option<Post>>,
    /// In the order of their ids, which follow those of the given posts.
    created: Vec<Created>,
    memory: usize,
}

#[derive(Debug)]
struct Created {
    /// A digest of what it was created with.
    from: u64,
    post: Option<Box<Post>>,
}

impl Posts {
    /// The first `given` posts of a seed.
    pub(super) fn new(seed: u64, given: usize) -> Posts {
        Posts { seed, given: given as u64, changes: Mutex::default() }
    }

    /// What the delays and failures of an answer depend on, beside the seed. The id of a created post follows
    /// from the order of requests, so what it was created with stands in for it: the same work meets the same
    /// delays in every run.
    pub(super) fn lot(&self, method: &Method, wish: Wish, body: &[u8]) -> String {
        let place = match wish {
            Wish::List => ALL.to_owned(),
            Wish::Create => format!("{ALL}/+{:016x}", fnv1a(body)),
            _ => {
                let id = wish.id().unwrap_or_default();
                let from = self.with(|changes| Some(changes.created.get(self.place(id)?)?.from));
                from.map_or_else(|| format!("{ALL}/{id}"), |from| format!("{ALL}/+{from:016x}"))
            }
        };
        match *method {
            Method::GET | Method::HEAD => place,
            _ => format!("{method} {place}"),
        }
    }

    /// Whether there is what a wish is about.
    pub(super) fn has(&self, wish: Wish) -> bool {
        wish.id().is_none_or(|id| self.with(|changes| self.find(changes, id).is_some()))
    }

    /// Does what is wished, all of it or nothing.
    pub(super) fn grant(&self, wish: Wish, body: &[u8]) -> Granted {
        let invalid = |words: String| Granted::Invalid(shown(&words).into_owned());
        self.with(|changes| {
            let found = match wish.id().map(|id| self.find(changes, id)) {
                Some(None) => return Granted::Missing,
                Some(Some(post)) => Some(post),
                None => None,
            };
            let draft = || {
                let draft = Draft::read(body)?;
                draft.check_id(wish.id()).map(|()| draft)
            };
            match (wish, found) {
                (Wish::List, _) => Granted::Json(self.list(changes)),
                (Wish::Create, _) => {
                    let id = self.given + changes.created.len() as u64 + 1;
                    match draft().and_then(|draft| draft.whole(id)) {
                        Ok(post) => self.create(changes, post, body),
                        Err(words) => invalid(words),
                    }
                }
                (Wish::Replace(id), _) => match draft().and_then(|draft| draft.whole(id)) {
                    Ok(post) => self.put(changes, post),
                    Err(words) => invalid(words),
                },
                (Wish::Amend(_), Some(post)) => match draft() {
                    Ok(draft) => self.put(changes, draft.amend(post)),
                    Err(words) => invalid(words),
                },
                (Wish::Read(_), Some(post)) => Granted::Json(post.json()),
                (Wish::Delete(id), _) => {
                    self.set(changes, id, None);
                    Granted::Deleted
                }
                (Wish::Read(_) | Wish::Amend(_), None) => Granted::Missing,
            }
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Changes) -> T) -> T {
        act(&mut self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The place of a created post.
    fn place(&self, id: u64) -> Option<usize> {
        usize::try_from(id.checked_sub(self.given)?.checked_sub(1)?).ok()
    }

    fn find(&self, changes: &Changes, id: u64) -> Option<Post> {
        if let Some(place) = self.place(id) {
            return changes.created.get(place)?.post.as_deref().cloned();
        }
        match changes.given.get(&id) {
            Some(changed) => changed.clone(),
            None => Some(prose::post(self.seed, usize::try_from(id.checked_sub(1)?).ok()?)),
        }
    }

    fn list(&self, changes: &Changes) -> String {
        let ids = 1..=self.given.saturating_add(changes.created.len() as u64);
        let posts: Vec<Post> = ids.filter_map(|id| self.find(changes, id)).take(LISTED).collect();
        serde_json::to_string(&posts).unwrap_or_default()
    }

    fn create(&self, changes: &mut Changes, post: Post, body: &[u8]) -> Granted {
        let cost = cost(&post);
        if changes.created.len() >= MOST_CREATED || changes.memory + cost > MOST_MEMORY {
            return Granted::Full;
        }
        changes.memory += cost;
        let (json, path) = (post.json(), format!("{ALL}/{}", post.id));
        changes.created.push(Created { from: fnv1a(body), post: Some(Box::new(post)) });
        Granted::Created { json, path }
    }

    fn put(&self, changes: &mut Changes, post: Post) -> Granted {
        if changes.memory + cost(&post) > MOST_MEMORY {
            return Granted::Full;
        }
        let json = post.json();
        self.set(changes, post.id, Some(post));
        Granted::Json(json)
    }

    fn set(&self, changes: &mut Changes, id: u64, post: Option<Post>) {
        changes.memory += post.as_ref().map_or(0, cost);
        let before = match self.place(id) {
            Some(place) => changes.created.get_mut(place).and_then(|created| {
                std::mem::replace(&mut created.post, post.map(Box::new)).map(|before| *before)
            }),
            None => changes.given.insert(id, post).flatten(),
        };
        changes.memory = changes.memory.saturating_sub(before.as_ref().map_or(0, cost));
    }
}

fn cost(post: &Post) -> usize {
    post.title.len() + post.body.len() + BESIDE_TEXTS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn posts() -> Posts {
        Posts::new(1, 3)
    }

    /// Does what a request asks for; none where nothing is there to be asked.
    fn ask(posts: &Posts, method: &Method, path: &str, body: &str) -> Option<Granted> {
        match Route::of(method, path)? {
            Route::To(wish) => Some(posts.grant(wish, body.as_bytes())),
            Route::Only(_) => None,
        }
    }

    fn value(granted: Option<Granted>) -> Option<Value> {
        match granted? {
            Granted::Json(json) | Granted::Created { json, .. } => serde_json::from_str(&json).ok(),
            _ => None,
        }
    }

    #[test]
    fn a_post_lives_and_is_gone() {
        let posts = posts();
        let before = ask(&posts, &Method::GET, "/posts", "");
        let made = ask(&posts, &Method::POST, "/posts", r#"{"title":"a","body":"b","userId":7}"#);
        assert!(matches!(&made, Some(Granted::Created { path, .. }) if path == "/posts/4"), "{made:?}");
        let read = || value(ask(&posts, &Method::GET, "/posts/4", ""));
        assert_eq!(read(), Some(json!({"id": 4, "userId": 7, "title": "a", "body": "b"})));
        ask(&posts, &Method::PUT, "/posts/4", r#"{"id":4,"title":"c","body":"d"}"#);
        assert_eq!(read(), Some(json!({"id": 4, "userId": 1, "title": "c", "body": "d"})));
        let amended = ask(&posts, &Method::PATCH, "/posts/4", r#"{"title":"e"}"#);
        assert_eq!(value(amended), read());
        assert_eq!(read(), Some(json!({"id": 4, "userId": 1, "title": "e", "body": "d"})));
        assert_eq!(ask(&posts, &Method::DELETE, "/posts/4", ""), Some(Granted::Deleted));
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(ask(&posts, &method, "/posts/4", "{}"), Some(Granted::Missing), "{method}");
        }
        assert_eq!(ask(&posts, &Method::GET, "/posts", ""), before);
        let next = ask(&posts, &Method::POST, "/posts", r#"{"title":"a","body":"b"}"#);
        assert!(matches!(next, Some(Granted::Created { path, .. }) if path == "/posts/5"));
    }

    #[test]
    fn given_posts_can_be_changed_and_deleted_too() {
        let posts = posts();
        let was = value(ask(&posts, &Method::GET, "/posts/2", ""));
        ask(&posts, &Method::PATCH, "/posts/2", r#"{"title":"new"}"#);
        let is = value(ask(&posts, &Method::GET, "/posts/2", ""));
        assert_eq!(is.as_ref().map(|post| &post["title"]), Some(&json!("new")));
        assert_eq!(is.map(|post| post["body"].clone()), was.map(|post| post["body"].clone()));
        ask(&posts, &Method::DELETE, "/posts/1", "");
        let list = value(ask(&posts, &Method::GET, "/posts", ""));
        let ids = list.as_ref().and_then(Value::as_array).map(|posts| {
            posts.iter().map(|post| post["id"].as_u64().unwrap_or_default()).collect::<Vec<_>>()
        });
        assert_eq!(ids, Some(vec![2, 3]));
        assert_eq!(
            posts.with(|changes| changes.memory),
            "new".len() + BESIDE_TEXTS + {
                posts.with(|changes| posts.find(changes, 2).map_or(0, |post| post.body.len()))
            }
        );
        ask(&posts, &Method::DELETE, "/posts/2", "");
        assert_eq!(posts.with(|changes| changes.memory), 0);
    }

    #[test]
    fn what_is_no_post_is_refused_in_words_and_changes_nothing() {
        let posts = posts();
        let before = ask(&posts, &Method::GET, "/posts", "");
        for (method, path, body, words) in [
            (Method::POST, "/posts", "", "EOF"),
            (Method::POST, "/posts", "{", "EOF"),
            (Method::POST, "/posts", "{}", "title and a body"),
            (Method::POST, "/posts", r#" [null,null,"a","b"]"#, "a list"),
            (Method::POST, "/posts", r#"{"title":"a"}"#, "title and a body"),
            (Method::POST, "/posts", r#"{"title":"a","body":" "}"#, "body is empty"),
            (Method::POST, "/posts", r#"{"title":"a","body":1}"#, "invalid type"),
            (Method::POST, "/posts", r#"{"title":"a","body":"b","id":9}"#, "leave it out"),
            (Method::POST, "/posts", "{\"\\u001b\":1}", "\\u{1b}"),
            (Method::PUT, "/posts/1", r#"{"title":"a","body":"b","id":2}"#, "id is 1"),
            (Method::PATCH, "/posts/1", r#"{"id":2}"#, "id is 1"),
            (Method::PATCH, "/posts/1", r#"{"more":2}"#, "unknown field"),
        ] {
            let answer = ask(&posts, &method, path, body);
            assert!(
                matches!(&answer, Some(Granted::Invalid(said)) if said.contains(words)),
                "{method} {body}: {answer:?}"
            );
        }
        assert_eq!(ask(&posts, &Method::GET, "/posts", ""), before);
    }

    #[test]
    fn only_plain_numbers_are_ids() {
        for path in ["/posts/01", "/posts/+1", "/posts/", "/posts/1/", "/posts/1.json", "/postsx", "/post"] {
            assert_eq!(Route::of(&Method::GET, path), None, "{path}");
        }
        assert_eq!(Route::of(&Method::GET, "/posts/0"), Some(Route::To(Wish::Read(0))));
        assert!(
            !posts().has(Wish::Read(0)) && !posts().has(Wish::Read(u64::MAX)) && posts().has(Wish::Read(3))
        );
        let refused = Route::of(&Method::POST, "/posts/1");
        assert_eq!(refused, Some(Route::Only("GET, HEAD, PUT, PATCH, DELETE")));
    }

    #[test]
    fn delays_of_created_posts_dont_depend_on_the_order() {
        let bodies = [r#"{"title":"a","body":"b"}"#, r#"{"title":"c","body":"d"}"#];
        let lots = |order: [usize; 2]| {
            let posts = posts();
            let mut lots = ["", ""].map(str::to_owned);
            for (id, which) in (4..).zip(order) {
                ask(&posts, &Method::POST, "/posts", bodies[which]);
                let read = posts.lot(&Method::GET, Wish::Read(id), b"");
                ask(&posts, &Method::DELETE, &format!("/posts/{id}"), "");
                assert_eq!(posts.lot(&Method::GET, Wish::Read(id), b""), read, "also when it is gone");
                lots[which] = read;
            }
            lots
        };
        assert_eq!(lots([0, 1]), lots([1, 0]));
        assert_eq!(posts().lot(&Method::HEAD, Wish::Read(2), b""), "/posts/2");
        assert_eq!(posts().lot(&Method::DELETE, Wish::Delete(2), b""), "DELETE /posts/2");
    }

    #[test]
    fn the_memory_has_an_end() {
        let posts = posts();
        posts.with(|changes| changes.memory = MOST_MEMORY);
        for (method, path) in [(Method::POST, "/posts"), (Method::PUT, "/posts/1")] {
            let answer = ask(&posts, &method, path, r#"{"title":"a","body":"b"}"#);
            assert_eq!(answer, Some(Granted::Full));
        }
        assert_eq!(ask(&posts, &Method::DELETE, "/posts/1", ""), Some(Granted::Deleted));
    }

    proptest! {
        #[test]
        fn no_request_panics_it(
            requests in prop::collection::vec(
                (0_usize..6, "(/posts)?(/[0-9]{1,20})?.{0,3}|.{0,20}", "\\{(\"(title|body|id|userId|x)\":(1|\"a\"|null),?){0,4}\\}|.{0,40}"),
                0..20,
            ),
        ) {
            let methods =
                [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
            let posts = posts();
            for (method, path, body) in requests {
                let method = &methods[method];
                if let Some(Route::To(wish)) = Route::of(method, &path) {
                    let there = posts.has(wish);
                    let _ = posts.lot(method, wish, body.as_bytes());
                    let granted = posts.grant(wish, body.as_bytes());
                    prop_assert_eq!(there, granted != Granted::Missing);
                }
            }
        }
    }
}
