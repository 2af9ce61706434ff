//! A browser without JavaScript: it keeps a session, and sends the forms of pages.

use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::chats::ChatCreate;
use ctxpin_protocol::http::people::{TokenCreate, UserCreate};
use reqwest::header::{CONTENT_SECURITY_POLICY, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};
use uuid::Uuid;

use crate::server::Server;

/// A signed-in browser.
pub struct Browser<'s> {
    server: &'s Server,
    http: Client,
    /// The cookies, as the header sends them.
    pub cookies: String,
}

impl<'s> Browser<'s> {
    /// Signs in with a token.
    pub async fn sign_in(server: &'s Server, token: &str) -> Self {
        let http = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none());
        let mut browser = Self {
            server,
            http: http.build().unwrap(),
            cookies: String::new(),
        };
        let signed_in = browser.post("/sign-in", &[("token", token)]).await;
        assert_eq!(signed_in.status(), StatusCode::SEE_OTHER);
        let cookie = signed_in.headers()[SET_COOKIE].to_str().unwrap().to_owned();
        browser.cookies = cookie.split(';').next().unwrap().to_owned();
        browser
    }

    /// Signs in as a new user with these roles, whose token has the scopes.
    pub async fn of_user(server: &'s Server, name: &str, roles: &[&str], scopes: &[&str]) -> Self {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let user = UserCreate {
            name: name.into(),
            roles: words(roles),
        };
        let user = server.client.user_create(&user).await.unwrap();
        let token = TokenCreate {
            user: Some(user.id),
            scopes: Some(words(scopes)),
            ..TokenCreate::default()
        };
        let token = server.client.token_create(&token).await.unwrap();
        Self::sign_in(server, token.secret.expose()).await
    }

    /// Returns a request for a page.
    pub fn get(&self, path: &str) -> RequestBuilder {
        let url = self.server.url.join(path).unwrap();
        self.http.get(url).header(COOKIE, &self.cookies)
    }

    /// Reads a page.
    pub async fn page(&self, path: &str) -> String {
        let response = self.get(path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str();
        assert!(policy.unwrap().starts_with("default-src 'none'"), "{path}");
        let opener = &response.headers()["cross-origin-opener-policy"];
        assert_eq!(opener, "same-origin", "{path}");
        response.text().await.unwrap()
    }

    /// Returns a request with the fields of a form, from a page of this server.
    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let url = self.server.url.join(path).unwrap();
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        self.http
            .post(url)
            .header(COOKIE, &self.cookies)
            .header(ORIGIN, self.server.url.origin().ascii_serialization())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.finish())
    }

    /// Sends a form.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.form(path, fields).send().await.unwrap()
    }

    /// Sends the form of a page, with the page's value. Returns the path to which the browser goes then.
    pub async fn submit(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> String {
        let value = page_value(page);
        let fields = [fields, &[("page", value.as_str())]].concat();
        let response = self.post(path, &fields).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{path}");
        response.headers()[LOCATION].to_str().unwrap().to_owned()
    }
}

/// Returns the value that only the page holds.
pub fn page_value(page: &str) -> String {
    between(page, "<meta name=\"ctxpin-page\" content=\"", "\"").to_owned()
}

/// Returns the value of the first hidden field of a name.
pub fn hidden<'p>(page: &'p str, name: &str) -> &'p str {
    between(
        page,
        &format!("type=\"hidden\" name=\"{name}\" value=\""),
        "\"",
    )
}

/// Returns the value of the box that chooses a change, by what stands behind the id of the change.
pub fn box_value<'p>(page: &'p str, resource: &str) -> &'p str {
    let mut values = page.split(" name=\"source\" value=\"").skip(1);
    let value = values.find_map(|rest| {
        let (value, _) = rest.split_once('"')?;
        value.ends_with(&format!(" {resource}")).then_some(value)
    });
    value.unwrap_or_else(|| panic!("no box of {resource} in {page}"))
}

/// Returns whether the box of a change has a tick.
pub fn is_ticked(page: &str, value: &str) -> bool {
    let rest = between(
        page,
        &format!("name=\"source\" value=\"{value}\""),
        "</label>",
    );
    rest.split('>').next().unwrap().ends_with(" checked")
}

/// Returns the text between two others.
pub fn between<'p>(page: &'p str, before: &str, after: &str) -> &'p str {
    let found = page
        .split_once(before)
        .and_then(|(_, rest)| rest.split_once(after));
    found.unwrap_or_else(|| panic!("no {before} in {page}")).0
}

/// Creates a chat of an agent.
pub async fn create_chat(server: &Server, agent: Option<Uuid>, title: &str) -> ChatId {
    create(server, agent, title, None).await
}

/// Creates an observed chat of an agent.
pub async fn create_observed(server: &Server, agent: Option<Uuid>, title: &str) -> ChatId {
    create(server, agent, title, Some("observed")).await
}

async fn create(server: &Server, agent: Option<Uuid>, title: &str, mode: Option<&str>) -> ChatId {
    let request = ChatCreate {
        agent_id: agent,
        title: Some(title.into()),
        client: Some("test".into()),
        mode: mode.map(str::to_owned),
        ..ChatCreate::default()
    };
    server
        .client
        .chat_create(&request)
        .await
        .unwrap()
        .chat
        .id
        .into()
}
