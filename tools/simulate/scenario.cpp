#include "tools/simulate/scenario.hpp"

#include <nlohmann/json.hpp>
#include <set>

namespace conductor::simulate {

using namespace std::chrono_literals;
using nlohmann::json;

std::string text_of(int number, int parts) {
    const std::string mark = fmt::format("#{}. ", number);
    std::string text = "Order ";
    const std::size_t size = parts == 1 ? 40 : static_cast<std::size_t>(153 * parts - 20);
    while (text.size() + mark.size() <= size) text += mark;
    return text;
}

int mark_of(std::string_view text) {
    for (std::size_t at = text.find('#'); at != text.npos; at = text.find('#', at + 1)) {
        const auto end = text.find('.', at);
        if (end == text.npos || end == at + 1) continue;
        const auto digits = text.substr(at + 1, end - at - 1);
        if (digits.find_first_not_of("0123456789") == digits.npos) return static_cast<int>(number(digits));
    }
    return -1;
}

namespace {

// Area codes of three zones, and numbers of no place.
constexpr const char* prefixes[] = {"+1212555010", "+1213555010", "+1312555010", "+1555010010"};

class Scenario {
public:
    explicit Scenario(const ScenarioOptions& options)
        : options_{options}, random_{options.seed * 0x9e3779b97f4a7c15ULL + 11}, world_{settings()} {}
    Outcome run();

private:
    std::uint64_t below(std::uint64_t n) { return random_() % n; }
    bool chance(int percent) { return below(100) < static_cast<std::uint64_t>(percent); }
    std::chrono::milliseconds between(std::chrono::milliseconds least, std::chrono::milliseconds most) {
        return least + std::chrono::milliseconds{below(static_cast<std::uint64_t>((most - least).count()) + 1)};
    }
    template <class T>
    T one_of(std::initializer_list<T> values) {
        return values.begin()[below(values.size())];
    }
    Instant moment() { return begin_ + between(0ms, active_); }
    /// What people do; the day does not end before they have.
    void people(Instant when, std::function<void()> action) {
        last_done_ = std::max(last_done_, when);
        world_.at(when, std::move(action));
    }

    WorldSettings settings();
    void configure(config::Config& c);
    void plan_people();
    void plan_traffic();
    void plan_modem_faults();
    void plan_crashes();
    void plan_disk_faults();
    void end_faults();
    void resume();
    void ask(std::size_t wish);
    void answered(std::size_t wish, api::Answer<api::Submitted> answer);
    void ask_again_later(std::size_t wish);
    void again(std::size_t wish, bool keyed);
    void cancel(std::size_t wish);
    void retry(std::size_t wish);
    void stop_by_api(const std::string& number);
    void say(const std::string& from, const std::string& text);
    void modem_fault(int modem);
    void look_for_idlers();
    void print_tables();
    bool settled();

    ScenarioOptions options_;
    std::mt19937_64 random_;
    int modems_ = 1;
    Instant begin_{};
    std::chrono::milliseconds active_{0};
    Instant last_done_{};
    std::vector<std::string> numbers_;
    Ledger ledger_;
    World world_;
    bool faulty_ = true;                                      ///< faults still happen
    std::set<std::pair<std::int64_t, std::int64_t>> waited_;  // id and not_before: ready at the last look, while a modem was idle
    Outcome outcome_;
};

WorldSettings Scenario::settings() {
    WorldSettings s;
    s.seed = options_.seed;
    s.print = options_.print;
    modems_ = 1 + static_cast<int>(below(3));
    if (options_.seed % 16 == 3) modems_ += service::Turns::at_once;  // more than may share a turn at the queue
    s.fleet.modems = modems_;
    const auto latency = between(50ms, 2500ms);
    s.fleet.latency = {latency, latency * static_cast<int>(1 + below(3))};
    s.fleet.report_delay = {1s, between(1s, 40s)};
    s.fleet.profile = one_of<const char*>({"generic", "huawei", "sim800", "quectel", "sim7600", "zte"});
    s.chunk = one_of<std::size_t>({4096, 4096, 64, 7, 1});
    const auto day = *parse_rfc3339(one_of<const char*>({"2026-11-24T00:00:00Z", "2026-11-01T00:00:00Z", "2027-03-14T00:00:00Z"}));
    s.start = day + between(0ms, 24h);
    s.configure = [this](config::Config& c) { configure(c); };
    return s;
}

void Scenario::configure(config::Config& c) {
    auto& send = c.send;
    if (chance(40)) send.window = {9 * 60, 20 * 60};
    if (chance(20)) send.window = {static_cast<int>(below(1440)), 0};
    if (send.window.end == 0) send.window.end = (send.window.begin + 300) % 1440;
    for (auto& policy : send.on_unknown) policy = chance(25) ? OnUnknown::resend : OnUnknown::hold;
    send.expire_after = between(30min, 3h);
    send.max_attempts = 3 + static_cast<int>(below(3));
    send.retry.first = between(2s, 30s);
    send.retry.max = 5min;
    send.late = chance(30) ? config::Late::expire : config::Late::next_window;
    send.delivery_reports = chance(85);
    send.per_recipient_gap = chance(50) ? 5min : 0min;
    send.per_recipient_day = one_of({0, 1, 3});
    send.per_recipient_week = 0;
    c.opt_out.require_consent = chance(50);
    for (auto& modem : c.modems) {
        modem.per_minute = one_of({0, 0, 4, 10});
        modem.per_hour = one_of({0, 0, 15, 40});
        modem.per_day = one_of({0, 0, 0, 60});
    }
    if (modems_ > 1 && chance(20)) c.routes.push_back({.prefix = "+1212", .modems = {0}});
}

Outcome Scenario::run() {
    if (options_.seed % 8 == 0) {
        ledger_.calm = true;
        options_.crashes = options_.disk_faults = options_.modem_faults = options_.clock_faults = false;
    }
    begin_ = world_.now();
    active_ = between(20min, 70min);
    world_.on_death = [this] {
        ++outcome_.crashes;
        for (std::size_t i = 0; i < ledger_.wishes.size(); ++i)  // nobody answers any more: they ask again
            if (std::exchange(ledger_.wishes[i].asking, false)) ask_again_later(i);
    };
    world_.boot();
    plan_people();
    plan_traffic();
    if (options_.modem_faults) plan_modem_faults();
    if (options_.crashes) plan_crashes();
    if (options_.disk_faults) plan_disk_faults();
    world_.at(begin_ + active_, [this] { end_faults(); });
    world_.until([&] { return !faulty_; }, active_ + 1h);
    for (int i = 0; i < 60 * 12 && world_.spinning.empty(); ++i) {
        world_.pass(5min);
        look_for_idlers();
        if (settled()) break;
    }
    world_.pass(2min);
    if (!world_.spinning.empty()) outcome_.broken.push_back("spin: " + world_.spinning);
    outcome_.wishes = static_cast<int>(ledger_.wishes.size());
    outcome_.submissions = static_cast<int>(world_.taken().size());
    outcome_.handlers = world_.handlers;
    outcome_.disk_faults = world_.disk().counters().failed + world_.disk().counters().cuts;
    outcome_.simulated = std::chrono::duration_cast<std::chrono::minutes>(world_.now() - begin_);
    if (outcome_.broken.empty()) {
        outcome_.broken = judge(world_, ledger_);
        for (const auto& row : world_.rows("SELECT status, count(*) FROM messages WHERE direction = 0 GROUP BY 1"))
            outcome_.ended[std::string{to_string(static_cast<MessageStatus>(number(row[0])))}] += static_cast<int>(number(row[1]));
    }
    std::ranges::move(ledger_.broken, std::back_inserter(outcome_.broken));
    if (options_.print) print_tables();
    if (!outcome_.broken.empty()) outcome_.trace = world_.trace();
    return outcome_;
}

// --- people ----------------------------------------------------------------------------------------------------------------------------

void Scenario::plan_people() {
    const auto count = 4 + below(8);
    for (std::uint64_t i = 0; i < count; ++i) numbers_.push_back(prefixes[below(std::size(prefixes))] + std::to_string(i % 10));
    std::ranges::sort(numbers_);
    numbers_.erase(std::ranges::unique(numbers_).begin(), numbers_.end());
    for (const auto& number : numbers_) {
        if (chance(15)) ledger_.without_consent.insert(number);
        const auto odd = [&](json rule) {
            rule["do"] = "rule";
            rule["number"] = number;
            world_.control(rule);
            ledger_.odd.insert(number);
        };
        if (chance(12)) odd({{"report", false}});
        if (chance(8)) odd({{"report", one_of({70, 65, 1})}});
        if (chance(8)) odd({{"cms", one_of({1, 38, 41, 21})}, {"times", 1 + below(4)}});
    }
}

void Scenario::plan_traffic() {
    const auto count = 10 + below(30);
    std::optional<Instant> last;
    for (std::uint64_t i = 0; i < count; ++i) {
        Ledger::Wish wish;
        wish.number = static_cast<int>(i) + 1;
        auto& m = wish.message;
        m.to = numbers_[below(numbers_.size())];
        m.text = text_of(wish.number, chance(70) ? 1 : 2 + static_cast<int>(below(3)));
        m.message_class = chance(50) ? MessageClass::marketing : MessageClass::transactional;
        m.key = fmt::format("wish-{}", i);
        if (chance(20)) m.on_unknown = chance(50) ? OnUnknown::resend : OnUnknown::hold;
        if (chance(20)) m.priority = static_cast<double>(below(100));
        if (chance(10)) m.modem_index = static_cast<int>(below(static_cast<std::uint64_t>(modems_)));
        if (chance(25)) m.expire_after = between(5min, 2h);
        const bool follows = last && chance(20);  // another for the same number, a moment later
        const Instant when = follows ? *last + between(0ms, 5s) : moment();
        if (follows) m.to = ledger_.wishes.back().message.to;
        last = when;
        if (chance(30))
            m.due_at = world_.clock().truth() + std::chrono::floor<std::chrono::milliseconds>(when - world_.now()) + between(0ms, 40min);
        m.consent = wish.consented = !ledger_.without_consent.contains(m.to);
        ledger_.wishes.push_back(std::move(wish));
        people(when, [this, i] { ask(i); });
        if (chance(10)) people(when + between(0ms, 20min), [this, i] { cancel(i); });
        if (chance(10)) people(when + between(1min, 40min), [this, i] { retry(i); });
        if (chance(10)) people(when + between(1s, 30min), [this, i] { again(i, true); });
        if (chance(10)) people(when + between(1s, 30min), [this, i] { again(i, false); });
    }
    for (const auto& number : numbers_) {
        if (chance(12)) people(moment(), [this, number] { stop_by_api(number); });
        if (chance(20))
            people(moment(), [this, number] {
                say(number, one_of<const char*>({"STOP", "stop.", "Unsubscribe", "please stop texting me"}));
            });
        if (chance(6)) people(moment(), [this, number] { say(number, "START"); });
        const auto lines = below(4);
        for (std::uint64_t i = 0; i < lines; ++i) {
            const auto text = fmt::format("Reply {} {}", i, std::string(chance(20) ? 280 : 5, 'r'));
            people(moment(), [this, number, text] { say(number, text); });
        }
    }
    if (chance(20)) {
        const Instant when = moment();
        const auto pause = [this](bool on) {
            world_.tell<api::Answer<void>>([on](service::Gateway& g) { return g.pause(on, {"person"}); }, [](api::Answer<void>) {});
        };
        people(when, [pause] { pause(true); });
        people(when + between(1min, 10min), [pause] { pause(false); });
    }
}

void Scenario::ask_again_later(std::size_t i) {
    world_.after(between(500ms, 20s), [this, i] { ask(i); });
}

void Scenario::ask(std::size_t i) {
    auto& wish = ledger_.wishes[i];
    if (wish.answered() || wish.asking) return;
    const bool went =
        world_.tell<api::Answer<api::Submitted>>([m = wish.message](service::Gateway& g) { return g.submit(m, {"producer"}); },
                                                 [this, i](api::Answer<api::Submitted> answer) { answered(i, std::move(answer)); });
    if (went)
        wish.asking = true;
    else
        ask_again_later(i);
}

void Scenario::answered(std::size_t i, api::Answer<api::Submitted> answer) {
    auto& wish = ledger_.wishes[i];
    wish.asking = false;
    if (answer) {
        wish.id = answer->message.id;
        world_.note(fmt::format("producer: wish {} is message {}", wish.number, wish.id->value));
    } else if (answer.error().status >= 500) {
        ask_again_later(i);
    } else {
        wish.refusal = answer.error().code;
        world_.note(fmt::format("producer: wish {} refused: {}", wish.number, wish.refusal));
    }
}

/// The same request once more: with its key it is the same message, without it is a duplicate.
void Scenario::again(std::size_t i, bool keyed) {
    const auto& wish = ledger_.wishes[i];
    if (!wish.id) return;
    NewMessage copy = wish.message;
    if (!keyed) copy.key.reset();
    copy.due_at.reset();
    world_.tell<api::Answer<Message>>(
        [id = *wish.id](service::Gateway& g) { return g.message(id); },
        [this, i, keyed, copy](api::Answer<Message> before) {
            if (!before) return;
            const auto s = before->status;
            const bool alive =
                s == MessageStatus::queued || s == MessageStatus::sending || s == MessageStatus::sent || s == MessageStatus::delivered;
            if (!keyed && !alive) return;
            world_.tell<api::Answer<api::Submitted>>(
                [copy](service::Gateway& g) { return g.submit(copy, {"producer"}); },
                [this, i, keyed](api::Answer<api::Submitted> answer) {
                    auto& w = ledger_.wishes[i];
                    if (!answer) return;
                    if (!keyed)
                        ledger_.broken.push_back(fmt::format("duplicate: wish {} was taken in a second time", w.number));
                    else if (answer->message.id != *w.id)
                        ledger_.broken.push_back(fmt::format("key: wish {} got another message for its key", w.number));
                });
        });
}

void Scenario::cancel(std::size_t i) {
    if (!ledger_.wishes[i].id) return;
    world_.tell<api::Answer<Message>>([id = *ledger_.wishes[i].id](service::Gateway& g) { return g.cancel(id, {"person"}); },
                                      [](api::Answer<Message>) {});
}

void Scenario::retry(std::size_t i) {
    auto& wish = ledger_.wishes[i];
    if (!wish.id) return;
    ++wish.rounds;  // also when the answer is lost: it may have been done
    world_.tell<api::Answer<Message>>([id = *wish.id](service::Gateway& g) { return g.retry(id, {"person"}); },
                                      [&wish](api::Answer<Message> answer) { wish.rounds -= !answer; });
}

void Scenario::stop_by_api(const std::string& number) {
    world_.tell<api::Answer<api::OptOut>>([number](service::Gateway& g) { return g.set_opt_out(number, true, "asked", {"person"}); },
                                          [this, number](api::Answer<api::OptOut> done) {
                                              if (done) ledger_.stopped.emplace(number, world_.clock().truth());
                                          });
}

void Scenario::say(const std::string& from, const std::string& text) {
    if (text == "START") {
        ledger_.returned.insert(from);
    } else if (!text.starts_with("Reply")) {
        ledger_.stopped.emplace(from, world_.clock().truth());
    }
    const auto modem = static_cast<int>(below(static_cast<std::uint64_t>(modems_)));
    json request = {{"do", "inject"}, {"modem", modem}, {"from", from}, {"text", text}};
    if (text.size() > 200 && chance(50)) request["order"] = {2, 1};
    world_.control(request);
    ++ledger_.inbound[{from, text}];
}

// --- faults ----------------------------------------------------------------------------------------------------------------------------

void Scenario::modem_fault(int modem) {
    if (!faulty_) return;
    const auto seconds = [this](int most) { return fmt::format("{}s", 1 + below(static_cast<std::uint64_t>(most))); };
    const json m = modem;
    const auto count = 1 + below(3);
    switch (below(16)) {
        case 0: world_.control({{"do", "mute"}, {"modem", m}, {"for", seconds(200)}, {"deaf", chance(70)}}); break;
        case 1: world_.control({{"do", "unplug"}, {"modem", m}, {"for", seconds(200)}, {"powered", chance(30)}}); break;
        case 2: world_.control({{"do", "reboot"}, {"modem", m}, {"down", seconds(20)}, {"drop_port", chance(50)}}); break;
        case 3: world_.control({{"do", "reboot"}, {"modem", m}, {"down", "3s"}, {"on_submit", true}}); break;
        case 4:
            world_.control({{"do", "cms"}, {"modem", m}, {"code", one_of({38, 42, 41, 21, 500, 332, 313, -1})}, {"count", count}});
            break;
        case 5: world_.control({{"do", "cms"}, {"modem", m}, {"code", 500}, {"accepted", true}, {"count", count}}); break;
        case 6: world_.control({{"do", "cms"}, {"modem", m}, {"code", 302}, {"at", "prompt"}, {"count", count}}); break;
        case 7: world_.control({{"do", "lost-answer"}, {"modem", m}, {"count", count}}); break;
        case 8: world_.control({{"do", "drop"}, {"modem", m}, {"count", 1}}); break;
        case 9: world_.control({{"do", "ignore"}, {"modem", m}, {"count", count}}); break;
        case 10: world_.control({{"do", "urc-inside"}, {"modem", m}, {"count", 20}}); break;
        case 11: world_.control({{"do", "urc-prompt"}, {"modem", m}, {"count", 3}}); break;
        case 12: world_.control({{"do", "garbage"}, {"modem", m}, {"octets", 40}, {"count", count}}); break;
        case 13: world_.control({{"do", "slow"}, {"modem", m}, {"octets_per_second", 200}}); break;
        case 14: world_.control({{"do", "registration"}, {"modem", m}, {"stat", one_of({0, 2, 3})}, {"for", seconds(200)}}); break;
        case 15: world_.control({{"do", "ring"}, {"modem", m}, {"times", 2}}); break;
        default: break;
    }
}

void Scenario::plan_modem_faults() {
    const auto count = below(14);
    for (std::uint64_t i = 0; i < count; ++i) {
        const int modem = static_cast<int>(below(static_cast<std::uint64_t>(modems_)));
        world_.at(moment(), [this, modem] { modem_fault(modem); });
    }
    if (chance(30)) world_.control({{"do", "lost-answer"}, {"rate", 0.1}});
}

void Scenario::plan_crashes() {
    const auto count = below(8);
    world_.downtime = between(100ms, 10s);
    for (std::uint64_t i = 0; i < count; ++i) {
        const Instant when = moment();
        const bool power = chance(50);
        switch (below(4)) {
            case 0: world_.at(when, [this, n = 1 + below(3000), power] { world_.crash_after(n, power); }); break;
            case 1: world_.at(when, [this, n = 1 + below(80)] { world_.disk().fail_power_at(n); }); break;
            case 2: world_.at(when, [this, n = 1 + below(80)] { world_.disk().kill_at(n); }); break;
            default: world_.at(when, [this] { world_.stop(); }); break;
        }
    }
    if (options_.clock_faults && chance(20))
        world_.at(moment(), [this] {
            world_.clock().sure = false;
            world_.after(between(1s, 3min), [this] { world_.clock().sure = true; });
        });
}

void Scenario::plan_disk_faults() {
    const auto count = below(5);
    for (std::uint64_t i = 0; i < count; ++i) {
        const Instant when = moment();
        const auto length = between(1s, 90s);
        const auto what = below(4);
        world_.at(when, [this, what] {
            auto& faults = world_.disk().faults;
            if (what == 0) faults.full = true;
            if (what == 1) faults.write_error = 0.3;
            if (what == 2) faults.sync_error = 0.3;
            if (what == 3) world_.disk_delay = [this] { return between(1ms, 900ms); };
            world_.note("disk: fault " + std::to_string(what));
        });
        world_.at(when + length, [this] {
            world_.disk().faults = {};
            world_.disk_delay = {};
            world_.note("disk: well again");
        });
    }
}

void Scenario::end_faults() {
    faulty_ = false;
    world_.disk().faults = {};
    world_.disk_delay = {};
    world_.clock().sure = true;
    world_.control({{"do", "clear"}, {"modem", "all"}});
    for (int m = 0; m < modems_; ++m) {
        if (!world_.port(static_cast<std::size_t>(m)).plugged()) world_.control({{"do", "plug"}, {"modem", m}});
        world_.control({{"do", "registration"}, {"modem", m}, {"stat", 1}});
    }
    resume();
    world_.note("all faults are over");
}

/// Somebody sees to it that the queue is not left paused.
void Scenario::resume() {
    const bool went =
        world_.tell<api::Answer<void>>([](service::Gateway& g) { return g.pause(false, {"person"}); }, [](api::Answer<void>) {});
    world_.after(30s, [this, went] {
        const auto* house = world_.house();
        if (!went || !house || world_.house()->shared().paused) resume();
    });
}

// --- the end ---------------------------------------------------------------------------------------------------------------------------

/// A modem that could send, while something waits for nothing but a modem.
void Scenario::look_for_idlers() {
    auto* house = world_.house();
    if (!house || house->shared().paused) return;
    std::uint64_t idle = 0;
    for (const auto& modem : house->modems())
        if (modem->able() && modem->idle() && !modem->lacks_room() && !modem->spaces_out(world_.clock().truth()))
            idle |= std::uint64_t{1} << modem->index();
    // what became ready anew, or was put off and is ready again, has not waited since the look before
    std::set<std::pair<std::int64_t, std::int64_t>> waiting;
    for (const auto& row : world_.rows("SELECT lane, id, not_before FROM messages WHERE status = 0 AND ready = 1")) {
        const auto lane = static_cast<std::uint64_t>(number(row[0]));
        if (lane == 0 ? idle != 0 : (lane & idle) != 0) waiting.emplace(number(row[1]), number(row[2]));
    }
    for (const auto& one : waiting)
        if (waited_.contains(one))
            ledger_.broken.push_back(
                fmt::format("progress: message {} was ready for five minutes, and an idle modem did not take it (at {})", one.first,
                            to_rfc3339(world_.clock().truth())));
    waited_ = std::move(waiting);
}

void Scenario::print_tables() {
    for (const char* sql :
         {"SELECT 'message', id, class, phone, substr(content, 1, 12), status, delivery, reason, parts, due_at, expires_at FROM messages",
          "SELECT 'attempt', * FROM attempts", "SELECT 'incoming', * FROM incoming", "SELECT 'opt-out', * FROM opt_outs",
          "SELECT 'audit', * FROM audit"})
        for (const auto& row : world_.rows(sql)) {
            std::string line;
            for (const auto& cell : row) line += (line.empty() ? "" : "|") + cell;
            world_.note(line);
        }
}

bool Scenario::settled() {
    if (!world_.up() || world_.now() < last_done_) return false;
    for (const auto& wish : ledger_.wishes)
        if (!wish.answered()) return false;
    for (const auto& row : world_.rows("SELECT status, delivery FROM messages WHERE direction = 0"))
        if (!is_final(static_cast<MessageStatus>(number(row[0])), static_cast<DeliveryStatus>(number(row[1])))) return false;
    const auto state = world_.control({{"do", "state"}});
    for (const auto& modem : state["modems"])
        if (modem.value("waiting", 0) > 0) return false;
    return true;
}

}  // namespace

Outcome run(const ScenarioOptions& options) {
    return Scenario{options}.run();
}

}  // namespace conductor::simulate
