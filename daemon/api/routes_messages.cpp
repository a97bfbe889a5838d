// Messages, the inbox and the queue.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "daemon/api/batch.hpp"
#include "daemon/api/fields.hpp"
#include "daemon/api/handlers.hpp"
#include "daemon/api/message_json.hpp"

namespace conductor::api::handlers {
namespace {

constexpr std::string_view pause_fields[] = {"campaign"};
constexpr std::size_t batch_group = 250;                ///< rows a commit, two groups at most ahead of another writer
constexpr std::size_t batch_group_octets = 128 * 1024;  ///< of them at most: they are read in one go

Response message_response(const Message& message, int status = 200) {
    Response response;
    response.status = status;
    append_json(response.body, message);
    return response;
}

Response message_answer(const Answer<Message>& answer) {
    return answer ? message_response(*answer) : error_response(answer.error());
}

Response page_response(const Answer<Page>& page) {
    if (!page) return error_response(page.error());
    Response response;
    response.body = "{\"messages\":[";
    for (const Message& message : page->messages) {
        if (&message != &page->messages.front()) response.body += ',';
        append_json(response.body, message);
    }
    response.body += "],\"next\":";
    response.body += page->next ? std::to_string(page->next->value) : "null";
    response.body += '}';
    return response;
}

/// One row of a batch's answer.
void append_row(std::string& out, std::size_t row, const Answer<Submitted>& answer) {
    if (out.back() != '[') out += ',';
    if (!answer) {
        out += fmt::format("{{\"row\":{},\"http\":{},\"error\":{}}}", row, answer.error().status, error_text(answer.error()));
        return;
    }
    const Message& m = answer->message;
    out += fmt::format("{{\"row\":{},\"http\":{},\"id\":{},\"key\":", row, answer->created ? 202 : 200, m.id.value);
    append_json_string(out, m.key);
    out += fmt::format(",\"status\":\"{}\",\"segments\":{}}}", to_string(m.status), m.segments);
}

}  // namespace

Answer<MessageId> id_of(const Request& request) {
    const auto id = parse_integer(request.params.at(0), 1, std::numeric_limits<std::int64_t>::max());
    if (!id) return Refusal{404, "not-found", "no such message", "id"};
    return MessageId{*id};
}

awaitable<Response> post_message(Backend& backend, Request request) {
    const auto body = body_of(request);
    if (!body) co_return error_response(body.error());
    auto message = parse_new_message(*body);
    if (!message) co_return error_response(message.error());
    const Answer<Submitted> answer = co_await backend.submit(*std::move(message), std::move(request.actor));
    if (!answer) co_return error_response(answer.error());
    co_return message_response(answer->message, answer->created ? 202 : 200);
}

awaitable<Response> preview_message(Backend& backend, Request request) {
    static constexpr std::string_view known[] = {"text"};
    const auto body = body_of(request);
    if (!body) co_return error_response(body.error());
    Fields fields{*body, known};
    fields.require("text");
    const auto text = fields.text("text", 64 * 1024);
    if (fields.problem()) co_return error_response(*fields.problem());
    const Answer<nlohmann::json> answer = backend.preview(text.value_or(""));
    if (!answer) co_return error_response(answer.error());
    co_return json_response(*answer, 200);
}

namespace {

/// Rows that are being stored, while those behind them are read and those before them are answered.
struct Group {
    struct Row {
        std::size_t number = 1;
        std::optional<Refusal> bad;
    };
    explicit Group(const aio::Executor& ex) : done{ex} {}
    std::vector<Row> rows;
    std::vector<Answer<Submitted>> answers;  ///< of the good rows among them
    std::exception_ptr thrown;
    aio::Event done;
};

/// Takes the next group off the rows; none when there are no more.
std::shared_ptr<Group> store_group(const aio::Executor& ex, Backend& backend, std::deque<BatchRow>& rows, const Actor& actor) {
    if (rows.empty()) return nullptr;
    auto group = std::make_shared<Group>(ex);
    std::vector<NewMessage> good;
    for (std::size_t octets = 0; !rows.empty() && group->rows.size() < batch_group && octets < batch_group_octets;) {
        octets += rows.front().text.size();
        auto message = rows.front().message();
        group->rows.push_back({rows.front().number, message ? std::nullopt : std::optional{message.error()}});
        if (message) good.push_back(std::move(*message));
        rows.pop_front();
    }
    if (good.empty()) {
        group->done.raise();
        return group;
    }
    asio::co_spawn(ex, backend.submit_all(std::move(good), actor),
                   [group](std::exception_ptr thrown, std::vector<Answer<Submitted>> answers) {
                       group->thrown = thrown;
                       group->answers = std::move(answers);
                       group->done.raise();
                   });
    return group;
}

/// Appends the answers of a group. Returns how many of its rows were taken.
std::size_t answer_group(Group& group, std::string& out) {
    std::size_t taken = 0;
    auto next = group.answers.begin();
    for (auto& row : group.rows) {
        const Answer<Submitted> answer = row.bad ? Answer<Submitted>{std::move(*row.bad)} : std::move(*next++);
        append_row(out, row.number, answer);
        taken += answer.has_value() ? 1 : 0;
    }
    return taken;
}

}  // namespace

awaitable<Response> post_batch(Backend& backend, Request request) {
    auto rows = request.batch->finish();
    if (!rows) co_return error_response(rows.error());
    request.batch.reset();
    const auto ex = co_await asio::this_coro::executor;
    Response response;
    response.body = "{\"results\":[";
    const std::size_t total = rows->size();
    std::size_t taken = 0;
    for (auto group = store_group(ex, backend, *rows, request.actor); group;) {
        co_await asio::post(ex, aio::use_awaitable);  // modems have their turn between two groups
        auto next = store_group(ex, backend, *rows, request.actor);
        const bool stored = co_await group->done.wait();
        if (group->thrown) std::rethrow_exception(group->thrown);
        if (!stored) co_return error_response(Refusal{503, "stopping", "the daemon stops", ""});  // the connection is being closed
        taken += answer_group(*group, response.body);
        group = std::move(next);
    }
    response.body += fmt::format("],\"accepted\":{},\"refused\":{}}}", taken, total - taken);
    co_return response;
}

awaitable<Response> list_messages(Backend& backend, Request request) {
    auto query = parse_list_query(request);
    if (!query) co_return error_response(query.error());
    co_return page_response(co_await backend.list(*std::move(query)));
}

awaitable<Response> get_message(Backend& backend, Request request) {
    const auto id = id_of(request);
    if (!id) co_return error_response(id.error());
    co_return message_answer(co_await backend.message(*id));
}

awaitable<Response> explain_message(Backend& backend, Request request) {
    const auto id = id_of(request);
    if (!id) co_return error_response(id.error());
    const Answer<nlohmann::json> answer = co_await backend.explain(*id);
    co_return answer ? json_response(*answer) : error_response(answer.error());
}

namespace {

using Change = awaitable<Answer<Message>> (Backend::*)(MessageId, Actor);

awaitable<Response> change_message(Backend& backend, Request request, Change change) {
    if (const auto refusal = no_body(request)) co_return error_response(*refusal);
    const auto id = id_of(request);
    if (!id) co_return error_response(id.error());
    co_return message_answer(co_await (backend.*change)(*id, std::move(request.actor)));
}

awaitable<Response> set_pause(Backend& backend, Request request, bool paused) {
    const auto body = body_of(request, true);
    if (!body) co_return error_response(body.error());
    Fields fields{*body, pause_fields};
    std::string campaign = fields.text("campaign", 200).value_or("");
    if (body->contains("campaign") && campaign.empty()) fields.refuse("bad-value", "campaign", "must not be empty");
    if (fields.problem()) co_return error_response(*fields.problem());
    const nlohmann::json name = campaign.empty() ? nlohmann::json(nullptr) : nlohmann::json(campaign);
    const Answer<void> answer = co_await backend.pause(paused, std::move(request.actor), std::move(campaign));
    if (!answer) co_return error_response(answer.error());
    nlohmann::json done;
    done["paused"] = paused;
    if (!name.is_null()) done["campaign"] = name;
    co_return json_response(done);
}

}  // namespace

awaitable<Response> cancel_message(Backend& backend, Request request) {
    return change_message(backend, std::move(request), &Backend::cancel);
}

awaitable<Response> retry_message(Backend& backend, Request request) {
    return change_message(backend, std::move(request), &Backend::retry);
}

awaitable<Response> read_message(Backend& backend, Request request) {
    return change_message(backend, std::move(request), &Backend::mark_read);
}

awaitable<Response> list_inbox(Backend& backend, Request request) {
    auto query = parse_list_query(request);
    if (!query) co_return error_response(query.error());
    query->direction = Direction::inbound;
    co_return page_response(co_await backend.list(*std::move(query)));
}

awaitable<Response> claim_inbox(Backend& backend, Request request) {
    const auto body = body_of(request);
    if (!body) co_return error_response(body.error());
    auto claim = parse_claim(*body);
    if (!claim) co_return error_response(claim.error());
    co_return page_response(co_await backend.claim_inbox(*std::move(claim)));
}

awaitable<Response> pause_queue(Backend& backend, Request request) {
    return set_pause(backend, std::move(request), true);
}

awaitable<Response> resume_queue(Backend& backend, Request request) {
    return set_pause(backend, std::move(request), false);
}

}  // namespace conductor::api::handlers
