//! Calls for users, tokens, and the caller.

use ctxpin_model::id::{TokenId, UserId};
use ctxpin_protocol::http::page::{Page, PageQuery};
use ctxpin_protocol::http::people::{
    Me, Token, TokenCreate, TokenCreated, TokenRevoke, User, UserChange, UserCreate,
};
use ctxpin_protocol::http::quotas::{QuotaChange, Usage};
use ctxpin_protocol::http::sign_in::SignInCode;
use reqwest::Method;

use crate::connection::{Client, with_json};
use crate::error::ClientError;

impl Client {
    /// Creates a user. Only administrators may.
    pub async fn user_create(&self, user: &UserCreate) -> Result<User, ClientError> {
        let request = self.request(Method::POST, &["users"])?;
        self.json(with_json(request, user).await?).await
    }

    /// Lists users. Only administrators may.
    pub async fn users(&self, page: &PageQuery) -> Result<Page<User>, ClientError> {
        self.json(self.query_request(&["users"], page)?).await
    }

    /// Changes a user. Only administrators may.
    pub async fn user_change(&self, user: UserId, to: &UserChange) -> Result<User, ClientError> {
        let request = self.request(Method::PATCH, &["users", &user.to_string()])?;
        self.json(with_json(request, to).await?).await
    }

    /// Creates a one-time code that signs in to the web page.
    pub async fn sign_in_code(&self) -> Result<SignInCode, ClientError> {
        let request = self.request(Method::POST, &["sign-in-codes"])?;
        self.json(request).await
    }

    /// Returns a user's usage and quotas. `None` is the caller. Only auditors and administrators may name
    /// another user.
    pub async fn usage(&self, user: Option<UserId>) -> Result<Usage, ClientError> {
        let request = match user {
            Some(user) => self.request(Method::GET, &["users", &user.to_string(), "usage"]),
            None => self.request(Method::GET, &["me", "usage"]),
        };
        self.json(request?).await
    }

    /// Changes a user's quotas. Only administrators may.
    pub async fn quota_change(&self, user: UserId, to: &QuotaChange) -> Result<Usage, ClientError> {
        let request = self.request(Method::PATCH, &["users", &user.to_string(), "quota"])?;
        self.json(with_json(request, to).await?).await
    }

    /// Creates a token. Only this response shows its secret.
    pub async fn token_create(&self, token: &TokenCreate) -> Result<TokenCreated, ClientError> {
        let request = self.request(Method::POST, &["tokens"])?;
        self.json(with_json(request, token).await?).await
    }

    /// Lists the caller's tokens.
    pub async fn tokens(&self, page: &PageQuery) -> Result<Page<Token>, ClientError> {
        self.json(self.query_request(&["tokens"], page)?).await
    }

    /// Returns a page of the valid tokens that a token created, directly or through others.
    pub async fn token_children(
        &self,
        token: TokenId,
        page: &PageQuery,
    ) -> Result<Page<Token>, ClientError> {
        let token = token.to_string();
        self.json(self.query_request(&["tokens", &token, "children"], page)?)
            .await
    }

    /// Revokes a token and, if `how` says so, the tokens that it created.
    pub async fn token_revoke(&self, token: TokenId, how: &TokenRevoke) -> Result<(), ClientError> {
        let request = self.request(Method::DELETE, &["tokens", &token.to_string()])?;
        self.execute(self.with_query(request, how)?).await
    }

    /// Returns the caller.
    pub async fn me(&self) -> Result<Me, ClientError> {
        self.json(self.request(Method::GET, &["me"])?).await
    }
}
