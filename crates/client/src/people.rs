//! Users, tokens, and who is calling.

use ctxpin_model::id::{TokenId, UserId};
use ctxpin_protocol::http::page::{Page, PageQuery};
use ctxpin_protocol::http::people::{
    Me, Token, TokenCreate, TokenCreated, TokenRevoke, User, UserChange, UserCreate,
};
use ctxpin_protocol::http::quotas::{QuotaChange, Usage};
use reqwest::Method;

use crate::connection::{Client, with_json};
use crate::error::ClientError;

impl Client {
    /// Creates a user, for administrators.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn user_create(&self, user: &UserCreate) -> Result<User, ClientError> {
        let request = self.request(Method::POST, &["users"])?;
        self.json(with_json(request, user).await?).await
    }

    /// Lists users, for administrators.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn users(&self, page: &PageQuery) -> Result<Page<User>, ClientError> {
        self.json(self.query_request(&["users"], page)?).await
    }

    /// Changes a user, for administrators.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn user_change(&self, user: UserId, to: &UserChange) -> Result<User, ClientError> {
        let request = self.request(Method::PATCH, &["users", &user.to_string()])?;
        self.json(with_json(request, to).await?).await
    }

    /// Tells how much a user has and may have, for auditors and administrators; the caller for `None`.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn usage(&self, user: Option<UserId>) -> Result<Usage, ClientError> {
        let request = match user {
            Some(user) => self.request(Method::GET, &["users", &user.to_string(), "usage"]),
            None => self.request(Method::GET, &["me", "usage"]),
        };
        self.json(request?).await
    }

    /// Changes how much a user may have, for administrators.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn quota_change(&self, user: UserId, to: &QuotaChange) -> Result<Usage, ClientError> {
        let request = self.request(Method::PATCH, &["users", &user.to_string(), "quota"])?;
        self.json(with_json(request, to).await?).await
    }

    /// Makes a token. The answer shows its secret once.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn token_create(&self, token: &TokenCreate) -> Result<TokenCreated, ClientError> {
        let request = self.request(Method::POST, &["tokens"])?;
        self.json(with_json(request, token).await?).await
    }

    /// Lists the caller's tokens.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn tokens(&self, page: &PageQuery) -> Result<Page<Token>, ClientError> {
        self.json(self.query_request(&["tokens"], page)?).await
    }

    /// Lists what a token made, and what that made, as far as it opens something.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn token_children(
        &self,
        token: TokenId,
        page: &PageQuery,
    ) -> Result<Page<Token>, ClientError> {
        let token = token.to_string();
        self.json(self.query_request(&["tokens", &token, "children"], page)?)
            .await
    }

    /// Revokes a token, and what it made if that is asked for.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn token_revoke(&self, token: TokenId, how: &TokenRevoke) -> Result<(), ClientError> {
        let request = self.request(Method::DELETE, &["tokens", &token.to_string()])?;
        self.nothing(self.with_query(request, how)?).await
    }

    /// Tells who is calling.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn me(&self) -> Result<Me, ClientError> {
        self.json(self.request(Method::GET, &["me"])?).await
    }
}
