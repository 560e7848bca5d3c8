//! What is served at which path.

use std::sync::Arc;

use super::Builder;
use crate::auth::Authenticate;
use crate::http::{Check, Service};
use crate::listener::Adopted;
use crate::route::Route;
use crate::{Handler, Page, StartError};

impl Builder {
    /// Serves WebSocket connections at a path. `{name}` stands for any one segment of it, which
    /// [`Peer::param`](crate::Peer::param) tells the handler. Each worker gets a clone of the handler.
    pub fn route<H: Handler + Clone>(mut self, path: &str, handler: H) -> Self {
        match u16::try_from(self.handlers.len()) {
            Ok(number) => {
                self.handlers.push(Box::new(move || Box::new(handler.clone())));
                self.paths.push(path.to_owned());
                self.insert(path, Route::WebSocket(number))
            }
            Err(_) => {
                self.error = Some(StartError::Route(path.to_owned(), "too many routes".to_owned()));
                self
            }
        }
    }

    /// Answers plain HTTP requests at a path, of those who may open a WebSocket: the server asks who it is
    /// ([`authenticate`](Self::authenticate)), and each request that is served counts as a connection and a
    /// handshake for the limits. Each worker gets a clone of the service.
    ///
    /// A browser may ask for pages of the same host, and for those of [`allow_origin`](Self::allow_origin),
    /// whose scripts are shown the answers (CORS); others get status 403. What is wrong with the request's form is
    /// refused before the service sees it.
    pub fn service<S: Service + Clone>(self, path: &str, service: S) -> Self {
        self.insert_service(path, service, Check::Peers)
    }

    /// Answers plain HTTP requests at a path, of those whom this check knows, and nobody else's; what they are served
    /// counts for no limit of connections. As [`service`](Self::service) otherwise. [`Handle::reload`](crate::Handle::reload)
    /// takes over checks, in the order of these calls.
    pub fn guarded_service<S: Service + Clone>(
        mut self,
        path: &str,
        check: impl Authenticate,
        service: S,
    ) -> Self {
        let number = self.settings.checks.0.len();
        self.settings.checks.0.push(Arc::new(check));
        self.insert_service(path, service, Check::Own(number))
    }

    /// Answers plain HTTP requests at the address for those who run the server alone
    /// ([`admin`](Self::admin)). Nobody is asked who it is; pages of other hosts get status 403, and so does
    /// who comes from this machine and names it otherwise than by an address or `localhost`.
    pub fn admin_service<S: Service + Clone>(mut self, path: &str, service: S) -> Self {
        match self.add_service(path, service) {
            Some(number) => self.insert_admin(path, Route::Service(number, Check::Operators)),
            None => self,
        }
    }

    /// Serves a page at a path, for plain GET and HEAD requests.
    pub fn page(self, path: &str, page: Page) -> Self {
        self.insert(path, Route::Page(page))
    }

    /// Serves a page at a path to those who run the server: where [`Builder::admin`] says, and nowhere
    /// without it.
    pub fn admin_page(self, path: &str, page: Page) -> Self {
        self.insert_admin(path, Route::Page(page))
    }

    /// Answers plain GET and HEAD requests at a path with status 200, as long as the server runs.
    pub fn health(self, path: &str) -> Self {
        self.insert(path, Route::Health).insert_admin(path, Route::Health)
    }

    /// Answers plain GET and HEAD requests at a path with status 200 while the server takes new connections,
    /// and with 503 while it drains: load balancers ask there where to send clients.
    pub fn readiness(self, path: &str) -> Self {
        self.insert(path, Route::Readiness).insert_admin(path, Route::Readiness)
    }

    /// Serves what the server counts at a path, in the text format of Prometheus: the same as
    /// [`Handle::metrics`](crate::Handle::metrics).
    pub fn metrics(mut self, path: &str) -> Self {
        self.metrics.push(path.to_owned());
        self.insert_admin(path, Route::Metrics)
    }

    /// Decides where metrics are served.
    pub(crate) fn place_metrics(mut self) -> Self {
        let paths = std::mem::take(&mut self.metrics);
        let is_adopted = self.adopted.iter().any(|(_, speaks)| *speaks == Adopted::Admin);
        match self.admin_address.is_some() || is_adopted {
            true => self,
            false => paths.iter().fold(self, |builder, path| builder.insert(path, Route::Metrics)),
        }
    }

    fn insert_service<S: Service + Clone>(mut self, path: &str, service: S, check: Check) -> Self {
        match self.add_service(path, service) {
            Some(number) => self.insert(path, Route::Service(number, check)),
            None => self,
        }
    }

    /// The service's number.
    fn add_service<S: Service + Clone>(&mut self, path: &str, service: S) -> Option<u16> {
        let number = u16::try_from(self.services.len()).ok();
        match number {
            Some(_) => self.services.push(Box::new(move || Box::new(service.clone()))),
            None => {
                let error = StartError::Route(path.to_owned(), "too many services".to_owned());
                self.error.get_or_insert(error);
            }
        }
        number
    }

    fn insert_admin(mut self, path: &str, route: Route) -> Self {
        if let Err(error) = self.admin.insert(path, route) {
            self.error.get_or_insert(StartError::Route(path.to_owned(), error.to_string()));
        }
        self
    }

    fn insert(mut self, path: &str, route: Route) -> Self {
        if let Err(error) = self.routes.insert(path, route) {
            self.error.get_or_insert(StartError::Route(path.to_owned(), error.to_string()));
        }
        self
    }
}
