#include "sync/plan/wire.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "sync/plan/text.hpp"

namespace conductor::sync {

using nlohmann::json;

namespace {

std::string wrap(json p) {
    json out = json::object();
    out["p"] = std::move(p);
    return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

json with_instance(std::string_view instance) {
    json p = json::object();
    if (!instance.empty()) p["instance"] = instance;
    return p;
}

/// Reads fields of one object and remembers the first that is missing or of another type.
class Reader {
public:
    Reader(const json& object, std::string where) : object_{object}, where_{std::move(where)} {
        if (!object_.is_object()) bad_ = where_;
    }
    /// Null when absent or null.
    const json* find(const char* name) const {
        if (!object_.is_object()) return nullptr;
        const auto it = object_.find(name);
        return it == object_.end() || it->is_null() ? nullptr : &*it;
    }
    std::string text(const char* name, bool required = true) {
        const json* v = find(name);
        if (v && v->is_string()) return v->get<std::string>();
        miss(name, v || required);
        return {};
    }
    std::int64_t integer(const char* name, std::optional<std::int64_t> fallback = std::nullopt) {
        const json* v = find(name);
        if (v && v->is_number_integer()) return v->get<std::int64_t>();
        miss(name, v || !fallback);
        return fallback.value_or(0);
    }
    double number(const char* name, double fallback) {
        const json* v = find(name);
        if (v && v->is_number()) return v->get<double>();
        miss(name, v);
        return fallback;
    }
    bool boolean(const char* name, bool fallback) {
        const json* v = find(name);
        if (v && v->is_boolean()) return v->get<bool>();
        miss(name, v);
        return fallback;
    }
    std::optional<WallTime> maybe_time(const char* name) {
        const json* v = find(name);
        if (!v) return std::nullopt;
        const auto t = v->is_string() ? parse_rfc3339(v->get_ref<const std::string&>()) : std::nullopt;
        miss(name, !t);
        return t;
    }
    WallTime time(const char* name) {
        const auto t = maybe_time(name);
        miss(name, !t);
        return t.value_or(WallTime{});
    }
    /// The elements of an array; none when it is missing.
    const json& array(const char* name) {
        static const json none = json::array();
        const json* v = find(name);
        if (v && v->is_array()) return *v;
        miss(name, true);
        return none;
    }
    void miss(const char* name, bool really) {
        if (really && bad_.empty()) bad_ = where_ + "." + name;
    }
    const std::string& bad() const { return bad_; }

private:
    const json& object_;
    std::string where_, bad_;
};

template <class T>
Result<T> finish(const Reader& reader, T value) {
    if (!reader.bad().empty()) return fail(SyncErrc::bad_answer, reader.bad());
    return value;
}

json read(std::string_view body) {
    return json::parse(body, nullptr, false);
}

/// What is known of the recipient; what is not as it should be counts as unknown: it only ranks.
Customer read_customer(const json& object) {
    Customer c;
    const auto number = [&object](const char* name, double least, double most) -> std::optional<double> {
        const auto found = object.find(name);
        if (found == object.end() || !found->is_number()) return std::nullopt;
        const double value = found->get<double>();
        return value >= least && value <= most ? std::optional{value} : std::nullopt;
    };
    const auto count = [&number](const char* name) -> std::optional<int> {
        const auto value = number(name, 0, 1'000'000);
        return value ? std::optional{static_cast<int>(*value)} : std::nullopt;
    };
    if (const auto day = object.find("last_visit"); day != object.end() && day->is_string())
        c.last_visit = parse_rfc3339(day->get<std::string>() + "T00:00:00Z").value_or(WallTime{});
    if (c.last_visit == WallTime{}) c.last_visit.reset();
    c.cycle_days = number("cycle_days", 0, 36'500);
    c.value_percentile = number("value_percentile", 0, 1);
    c.visits = count("visits");
    c.sent = count("sent");
    c.replied = count("replied");
    c.sent_30_days = count("sent_30_days");
    return c;
}

Result<Job> read_job(const json& object) {
    Reader r{object, "job"};
    Job job;
    job.id = r.integer("id");
    job.epoch = r.integer("epoch");
    job.revision = r.integer("revision");
    job.phone_number = r.text("phone_number");
    job.content = r.text("content");
    const auto message_class = parse_message_class(r.text("class"));
    r.miss("class", !message_class);
    job.message_class = message_class.value_or(MessageClass::marketing);
    job.priority = r.number("priority", 50);
    job.send_at = r.time("send_at");
    job.expires_at = r.maybe_time("expires_at");
    job.lease_expires_at = r.time("lease_expires_at");
    job.offline_ok = r.boolean("offline_ok", false);
    if (r.find("on_unknown")) {
        job.on_unknown = parse_on_unknown(r.text("on_unknown"));
        r.miss("on_unknown", !job.on_unknown);
    }
    if (r.find("campaign_name")) job.campaign_name = r.text("campaign_name");
    if (r.find("instance")) job.instance = r.text("instance");
    if (r.find("set")) job.set = r.text("set");
    if (r.find("state")) job.state = r.text("state");
    if (const auto* customer = r.find("customer"); customer && customer->is_object()) job.customer = read_customer(*customer);
    job.consent = r.boolean("consent", false);
    job.opted_out = r.boolean("opted_out", false);
    job.begun = r.text("status", false) == "sending";
    job.cancel_requested = r.boolean("cancel_requested", false);
    return finish(r, std::move(job));
}

}  // namespace

std::string hello_request(const Hello& hello) {
    json p = with_instance(hello.instance);
    p["version"] = hello.version;
    p["protocol"] = hello.protocol;
    if (!hello.word.empty()) p["word"] = hello.word;
    if (!hello.words.empty()) p["words"] = json(hello.words);
    return wrap(std::move(p));
}

std::string claim_request(const ClaimRequest& claim, std::string_view instance) {
    json p = with_instance(instance);
    p["request_id"] = claim.request_id;
    p["limit"] = claim.limit;
    if (claim.horizon) p["horizon_s"] = claim.horizon->count();
    if (claim.lease) p["lease_s"] = claim.lease->count();
    return wrap(std::move(p));
}

std::string mine_request(std::int64_t after, std::string_view instance, std::span<const std::string> adopt) {
    json p = with_instance(instance);
    p["after"] = after;
    if (!adopt.empty()) p["adopt"] = json(std::vector<std::string>(adopt.begin(), adopt.end()));
    return wrap(std::move(p));
}

namespace {

json job_items(std::span<const BeginItem> jobs) {
    json out = json::array();
    for (const BeginItem& job : jobs) {
        json item = json::object();
        item["id"] = job.id;
        item["epoch"] = job.epoch;
        item["revision"] = job.revision;
        if (!job.phone_number.empty()) item["phone_number"] = job.phone_number;
        out.push_back(std::move(item));
    }
    return out;
}

}  // namespace

std::string begin_request(std::span<const BeginItem> jobs, std::string_view instance) {
    json p = with_instance(instance);
    p["jobs"] = job_items(jobs);
    return wrap(std::move(p));
}

std::string renew_request(std::span<const BeginItem> jobs, std::optional<std::chrono::seconds> lease, std::string_view instance) {
    json p = with_instance(instance);
    p["jobs"] = job_items(jobs);
    if (lease) p["lease_s"] = lease->count();
    return wrap(std::move(p));
}

std::string commands_request(std::string_view instance, std::int64_t after) {
    json p = with_instance(instance);
    p["limit"] = commands_a_page;
    if (after > 0) p["after"] = after;
    return wrap(std::move(p));
}

std::string acknowledge_request(std::span<const std::int64_t> ids) {
    json p = json::object();
    p["ids"] = json(std::vector<std::int64_t>(ids.begin(), ids.end()));
    return wrap(std::move(p));
}

Result<std::string> item_json(std::string_view body, std::string_view id_name, std::string_view id) {
    json item = json::parse(clean_json(body), nullptr, false);
    if (!item.is_object()) return fail(SyncErrc::rejected, "body");
    item[std::string{id_name}] = clean_text(id);
    return item.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string items_request(std::span<const std::string> items) {
    return fmt::format(R"({{"p":{{"items":[{}]}}}})", fmt::join(items, ","));
}

Result<HelloAnswer> parse_hello(std::string_view body) {
    const json object = read(body);
    Reader r{object, "hello"};
    HelloAnswer out;
    out.gateway_id = r.text("gateway_id");
    out.pool = r.text("pool");
    out.generation = r.text("generation");
    out.server_now = r.time("server_now");
    out.alone = r.boolean("alone", false);
    out.fenced = r.boolean("fenced", false);
    out.forked = r.boolean("forked", false);
    out.protocol_min = r.integer("protocol_min", 1);
    out.protocol_max = r.integer("protocol_max", 1);
    if (r.find("topics"))
        for (const json& topic : r.array("topics"))
            if (topic.is_string()) out.topics.push_back(topic.get<std::string>());
    return finish(r, std::move(out));
}

Result<ClaimAnswer> parse_claim(std::string_view body) {
    const json object = read(body);
    Reader r{object, "claim"};
    ClaimAnswer out;
    out.server_now = r.time("server_now");
    out.alone = r.boolean("alone", false);
    out.fenced = r.boolean("fenced", false);
    if (r.find("next")) out.next = r.integer("next");
    for (const json& item : r.array("jobs")) {
        auto job = read_job(item);
        if (job)
            out.jobs.push_back(*std::move(job));
        else  // it holds up none of the others, and comes back when its lease is over
            out.unread.push_back((item.is_object() && item.contains("id") ? item["id"].dump() : "?") + ": " + job.error().text());
    }
    return finish(r, std::move(out));
}

Result<std::vector<BeginAnswer>> parse_begin(std::string_view body) {
    const json object = read(body);
    Reader r{object, "begin"};
    std::vector<BeginAnswer> out;
    for (const json& item : r.array("jobs")) {
        Reader one{item, "job"};
        BeginAnswer answer;
        answer.id = one.integer("id");
        answer.go = one.boolean("go", false);
        one.miss("go", !one.find("go"));
        answer.reason = one.text("reason", false);
        if (!one.bad().empty()) return fail(SyncErrc::bad_answer, one.bad());
        out.push_back(std::move(answer));
    }
    return finish(r, std::move(out));
}

Result<std::vector<RenewAnswer>> parse_renew(std::string_view body) {
    const json object = read(body);
    Reader r{object, "renew"};
    const WallTime server_now = r.time("server_now");
    std::vector<RenewAnswer> out;
    for (const json& item : r.array("jobs")) {
        Reader one{item, "job"};
        RenewAnswer answer;
        answer.id = one.integer("id");
        answer.held = one.boolean("held", false);
        answer.lease_expires_at = one.maybe_time("lease_expires_at");
        one.miss("lease_expires_at", answer.held && !answer.lease_expires_at);
        answer.reason = one.text("reason", false);
        answer.revision = one.integer("revision", 0);
        answer.server_now = server_now;
        if (!one.bad().empty()) return fail(SyncErrc::bad_answer, one.bad());
        out.push_back(std::move(answer));
    }
    return finish(r, std::move(out));
}

Result<std::vector<ItemVerdict>> parse_verdicts(std::string_view body) {
    const json object = read(body);
    Reader r{object, "report"};
    std::vector<ItemVerdict> out;
    for (const json& item : r.array("verdicts")) {
        Reader one{item, "verdict"};
        ItemVerdict verdict;
        verdict.id = one.text("id", false);
        const auto word = parse_verdict(one.text("verdict"));
        one.miss("verdict", !word);
        verdict.verdict = word.value_or(Verdict::rejected);
        verdict.reason = one.text("reason", false);
        if (!one.bad().empty()) return fail(SyncErrc::bad_answer, one.bad());
        out.push_back(std::move(verdict));
    }
    return finish(r, std::move(out));
}

Result<CommandsAnswer> parse_commands(std::string_view body) {
    const json object = read(body);
    Reader r{object, "commands"};
    CommandsAnswer out;
    out.fenced = r.boolean("fenced", false);
    for (const json& item : r.array("commands")) {
        Reader one{item, "command"};
        Command command;
        command.id = one.integer("id");
        command.kind = one.text("kind");
        if (one.find("job_id")) command.job_id = one.integer("job_id");
        command.epoch = one.integer("epoch", 0);
        if (const json* payload = one.find("payload")) command.payload = payload->dump();
        if (!one.bad().empty()) return fail(SyncErrc::bad_answer, one.bad());
        out.commands.push_back(std::move(command));
    }
    return finish(r, std::move(out));
}

std::optional<WallTime> parse_server_now(std::string_view body) {
    const json object = read(body);
    Reader r{object, "answer"};
    return r.maybe_time("server_now");
}

std::string password_request(std::string_view email, std::string_view password) {
    json out = json::object();
    out["email"] = email;
    out["password"] = password;
    return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string refresh_request(std::string_view refresh_token) {
    json out = json::object();
    out["refresh_token"] = refresh_token;
    return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Session> parse_session(std::string_view body) {
    const json object = read(body);
    Reader r{object, "session"};
    Session out;
    out.access_token = r.text("access_token");
    out.refresh_token = r.text("refresh_token", false);
    out.expires_in = std::chrono::seconds{r.integer("expires_in", 3600)};
    return finish(r, std::move(out));
}

}  // namespace conductor::sync
