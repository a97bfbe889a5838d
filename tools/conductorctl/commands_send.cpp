#include <fmt/format.h>

#include <array>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>

#include "tools/conductorctl/commands.hpp"
#include "tools/conductorctl/rows.hpp"

namespace conductor::ctl {
namespace {

using nlohmann::json;

constexpr std::size_t rows_per_call = 2500;
constexpr std::size_t octets_per_call = 1024 * 1024;

/// Sends the rows of a file in batches, tells what was refused and how far it is. While the daemon stores one, the next is read.
class FileSender {
public:
    FileSender(Session& session, RowSource& rows, std::istream& file, std::uint64_t size)
        : session_{session}, rows_{rows}, file_{file}, size_{size} {}

    int run() {
        if (session_.json) session_.io.out << "{\"results\":[";
        bool reachable = true;
        while (auto row = rows_.next()) {
            if (!row->problem.empty()) {
                refuse_here(*row);
                continue;
            }
            lines_.push_back(row->line);
            body_ += row->body + '\n';
            if (lines_.size() >= rows_per_call || body_.size() >= octets_per_call) reachable = flush();
            if (!reachable) break;
        }
        if (reachable) reachable = flush() && answered();
        return finish(reachable);
    }

private:
    /// A row that the daemon never saw.
    void refuse_here(const FileRow& row) {
        json error = {{"code", "bad-row"}, {"message", row.problem}, {"field", nullptr}};
        if (!row.column.empty()) error["field"] = row.column;
        json result = {{"line", row.line}, {"http", 422}};
        result["error"] = std::move(error);
        tell(result);
    }

    void tell(const json& result) {
        const bool good = !result.contains("error");
        ++(good ? (result["http"] == 200 ? known_ : accepted_) : refused_);
        if (!good && result["http"] != 422 && result["http"] != 409) failed_ = true;
        if (session_.json) {
            session_.io.out << (first_ ? "" : ",") << result.dump(-1, ' ', false, json::error_handler_t::replace);
            first_ = false;
        } else if (!good) {
            clear_progress();
            session_.io.err << "line " << result["line"] << ": " << cell(result["error"], "message") << '\n';
        }
    }

    /// A batch that the daemon has, and what it answers. One at a time: rows are stored in the order of the file.
    struct Batch {
        std::vector<int> lines;
        std::string body;
        std::future<Client::Reply> reply;
    };

    /// False when the daemon is gone or refused the batch before this one.
    bool flush() {
        if (!answered()) return false;
        if (lines_.empty()) return true;
        sent_ = std::make_unique<Batch>(std::exchange(lines_, {}), std::exchange(body_, {}));
        // where no thread can be had, the call is made when its answer is asked for
        sent_->reply = std::async(std::launch::async | std::launch::deferred, [&client = session_.client, &body = sent_->body] {
            return client.call("POST", "/v1/messages/batch", body, "application/x-ndjson", std::chrono::minutes{10});
        });
        return true;
    }

    /// Waits for the answer to the batch that was sent; false when the daemon is gone or refused it whole.
    bool answered() {
        if (!sent_) return true;
        const Client::Reply reply = sent_->reply.get();
        const auto batch = std::exchange(sent_, nullptr);
        auto answer = json::parse(reply.body, nullptr, false);
        const bool whole =
            reply.status == 200 && answer.is_object() && answer.contains("results") && answer["results"].size() == batch->lines.size();
        if (!whole) {
            stopped_ = reply.status == 0 ? reply.problem : fmt::format("the daemon answered {}", reply.status);
            if (answer.is_object() && answer.contains("error")) stopped_ = cell(answer["error"], "message");
            stopped_ += fmt::format("; the rows from line {} on were not sent", batch->lines.front());
            code_ = reply.status == 0 ? unreachable : failed;
            return false;
        }
        for (std::size_t i = 0; i < batch->lines.size(); ++i) {
            json& result = answer["results"][i];
            result.erase("row");
            result["line"] = batch->lines[i];
            tell(result);
        }
        show_progress();
        return true;
    }

    void show_progress() {
        if (!session_.io.err_is_terminal || session_.json || size_ == 0) return;
        const auto at = file_.tellg();
        const std::uint64_t read = at < 0 ? size_ : static_cast<std::uint64_t>(at);
        const std::size_t filled = static_cast<std::size_t>(read * 30 / size_);
        session_.io.err << fmt::format("\r[{:-<30}] {:3} %  {} taken, {} refused", std::string(std::min<std::size_t>(filled, 30), '#'),
                                       read * 100 / size_, accepted_ + known_, refused_)
                        << std::flush;
        progress_ = true;
    }
    void clear_progress() {
        if (std::exchange(progress_, false)) session_.io.err << "\r\x1b[K";
    }

    int finish(bool reachable) {
        clear_progress();
        if (reachable && !rows_.problem().empty()) {
            stopped_ = rows_.problem();
            code_ = usage;
        }
        if (code_ == done && refused_ > 0) code_ = failed_ ? failed : refused;
        if (session_.json) {
            json summary = {{"accepted", accepted_}, {"known", known_}, {"refused", refused_}};
            if (!stopped_.empty())
                summary["error"] = {{"code", code_ == unreachable ? "unreachable" : "stopped"}, {"message", stopped_}, {"field", nullptr}};
            session_.io.out << "]," << summary.dump().substr(1) << '\n';
            return code_;
        }
        if (!stopped_.empty()) session_.io.err << "conductorctl: " << stopped_ << '\n';
        session_.io.out << fmt::format("{} taken", accepted_);
        if (known_ > 0) session_.io.out << fmt::format(", {} known already", known_);
        session_.io.out << fmt::format(", {} refused\n", refused_);
        return code_;
    }

    Session& session_;
    RowSource& rows_;
    std::istream& file_;
    std::uint64_t size_;
    std::vector<int> lines_;
    std::string body_, stopped_;
    std::unique_ptr<Batch> sent_;
    std::uint64_t accepted_ = 0, known_ = 0, refused_ = 0;
    bool failed_ = false, first_ = true, progress_ = false;
    int code_ = done;
};

bool ends_with(const std::string& file, std::string_view ending) {
    return file.size() > ending.size() && file.ends_with(ending);
}

}  // namespace

namespace {

/// What the text becomes, told before it is queued: its segments, and what transliteration replaces. A refusal is told by the queue itself.
void show_preview(Session& session, const std::string& text) {
    const json body = {{"text", text}};
    const auto reply = session.client.call("POST", "/v1/messages/preview", body.dump(-1, ' ', false, json::error_handler_t::replace));
    const auto preview = json::parse(reply.body, nullptr, false);
    if (reply.status != 200 || !preview.is_object()) return;
    const int segments = preview.value("segments", 1);
    session.io.err << fmt::format("{} segment{} of {}", segments, segments == 1 ? "" : "s", cell(preview, "encoding"));
    const json replaced = preview.value("replaced", json::array());
    for (std::size_t i = 0; i < replaced.size(); ++i)
        session.io.err << (i == 0 ? "; replaced: " : ", ")
                       << printable(fmt::format("\"{}\" by \"{}\"", replaced[i].value("from", ""), replaced[i].value("to", "")))
                       << (replaced[i].value("count", 1) > 1 ? fmt::format(" ({} times)", replaced[i].value("count", 1)) : "");
    session.io.err << '\n';
    if (!replaced.empty()) session.io.err << "sent as: " << printable(preview.value("text", "")) << '\n';
}

}  // namespace

int send(Session& session, const SendOptions& options) {
    json body = {{"to", options.to}, {"text", options.text}, {"class", options.message_class}};
    if (!options.key.empty()) body["key"] = options.key;
    if (!options.at.empty()) {
        const auto when = parse_time(options.at, session.io.now);
        if (!when) return session.fail(usage, "usage", "--at: no time; write 2026-11-21T18:00:00Z, \"2026-11-21 18:00\", 18:00 or +10m");
        body["due_at"] = to_rfc3339(*when);
    }
    if (!options.expire_after.empty()) body["expire_after"] = options.expire_after;
    if (!options.on_unknown.empty()) body["on_unknown"] = options.on_unknown;
    if (options.priority) body["priority"] = *options.priority;
    if (options.modem_index) body["modem_index"] = *options.modem_index;
    if (options.in_reply_to) body["in_reply_to"] = *options.in_reply_to;
    if (options.report) body["report"] = true;
    if (options.flash) body["flash"] = true;
    if (options.consent) body["consent"] = true;
    if (!session.json) show_preview(session, options.text);
    const auto message = session.show("POST", "/v1/messages", &body);
    if (!message) return session.code;
    const int parts = message->value("segments", 1);
    session.io.out << fmt::format("message {}: {} to {}, {} part{}", cell(*message, "id"), cell(*message, "status"),
                                  cell(*message, "phone_number"), parts, parts == 1 ? "" : "s");
    if (cell(*message, "due_at") != "-") session.io.out << ", due " << time_cell(*message, "due_at");
    if (cell(*message, "reason_text") != "-") session.io.out << "\n  " << cell(*message, "reason_text");
    session.io.out << '\n';
    return done;
}

int send_file(Session& session, const SendOptions& options) {
    const bool csv = ends_with(options.file, ".csv");
    if (!csv && !ends_with(options.file, ".ndjson") && !ends_with(options.file, ".jsonl"))
        return session.fail(usage, "usage", "--file: the name must end with .csv or .ndjson");
    std::array<char, 64 * 1024> buffer;
    std::ifstream file;
    file.rdbuf()->pubsetbuf(buffer.data(), buffer.size());
    file.open(options.file, std::ios::binary | std::ios::ate);
    if (!file) return session.fail(usage, "usage", "--file: cannot open " + printable(options.file));
    const auto size = file.tellg();
    file.seekg(0);
    const RowDefaults defaults{options.message_class, session.io.now};
    const auto rows = csv ? csv_rows(file, defaults) : ndjson_rows(file, defaults);
    if (!rows->problem().empty()) return session.fail(usage, "bad-file", options.file + ": " + rows->problem());
    return FileSender{session, *rows, file, size < 0 ? 0 : static_cast<std::uint64_t>(size)}.run();
}

}  // namespace conductor::ctl
