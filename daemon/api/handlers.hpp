#pragma once
// The handlers that the table of routes names, one file per group; and what they share.
#include "daemon/api/routes.hpp"

namespace conductor::api::handlers {

using aio::awaitable;

/// A JSON document as response.
Response json_response(const nlohmann::json& body, int status = 200);
/// The body as an object; an empty body is {} when `optional`.
Answer<nlohmann::json> body_of(const Request& request, bool optional = false);
/// The id in params[0].
Answer<MessageId> id_of(const Request& request);
Answer<ModemIndex> modem_of(const Request& request);
/// The body must be absent, empty or {}.
std::optional<Refusal> no_body(const Request& request);

awaitable<Response> post_message(Backend&, Request);
awaitable<Response> preview_message(Backend&, Request);
awaitable<Response> post_batch(Backend&, Request);
awaitable<Response> list_messages(Backend&, Request);
awaitable<Response> get_message(Backend&, Request);
awaitable<Response> explain_message(Backend&, Request);
awaitable<Response> cancel_message(Backend&, Request);
awaitable<Response> retry_message(Backend&, Request);
awaitable<Response> read_message(Backend&, Request);
awaitable<Response> list_inbox(Backend&, Request);
awaitable<Response> claim_inbox(Backend&, Request);
awaitable<Response> pause_queue(Backend&, Request);
awaitable<Response> resume_queue(Backend&, Request);

awaitable<Response> list_modems(Backend&, Request);
awaitable<Response> get_modem(Backend&, Request);
awaitable<Response> modem_action(Backend&, Request);
awaitable<Response> modem_at(Backend&, Request);
awaitable<Response> modem_ussd(Backend&, Request);
awaitable<Response> modem_trace(Backend&, Request);

awaitable<Response> get_discovery(Backend&, Request);
awaitable<Response> post_discovery(Backend&, Request);
awaitable<Response> probe_port(Backend&, Request);
awaitable<Response> list_opt_outs(Backend&, Request);
awaitable<Response> put_opt_out(Backend&, Request);
awaitable<Response> delete_opt_out(Backend&, Request);
awaitable<Response> get_consent(Backend&, Request);
awaitable<Response> put_consent(Backend&, Request);

awaitable<Response> get_status(Backend&, Request);
awaitable<Response> release_database(Backend&, Request);
awaitable<Response> get_sync(Backend&, Request);
awaitable<Response> post_sync(Backend&, Request);
awaitable<Response> get_health(Backend&, Request);
awaitable<Response> get_metrics(Backend&, Request);

}  // namespace conductor::api::handlers
