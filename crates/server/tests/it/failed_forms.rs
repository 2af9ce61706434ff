//! Forms that fail, in a browser without JavaScript and as the script gets them.

use reqwest::StatusCode;
use reqwest::header::REFERER;

use crate::browser::{Browser, page_value};
use crate::pages::check_golden;
use crate::server::Server;

#[tokio::test]
async fn a_form_that_failed_says_where_and_leads_back() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let page = browser.page("/workspaces/new").await;
    let value = page_value(&page);
    let fields = [("workspace", "  "), ("page", value.as_str())];
    let form = browser.form("/workspaces/new", &fields);
    let referer = server.url.join("/workspaces/new").unwrap();
    let failed = form.header(REFERER, referer.as_str()).send().await.unwrap();
    assert_eq!(failed.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let failed = failed.text().await.unwrap();
    check_golden("problem-form", &failed);
    let form = browser.form("/workspaces/new", &fields);
    let failed = form.header("ctxpin-fragment", "true").send().await.unwrap();
    check_golden("failed-field", &failed.text().await.unwrap());
    server.stop().await;
}
