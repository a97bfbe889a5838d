#include "tools/simulate/day.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/simulate/scenario.hpp"

namespace conductor::simulate {

using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr std::chrono::milliseconds usual{60'000}, replug{5'000};

class DayRun {
public:
    explicit DayRun(const DayOptions& options) : options_{options}, random_{options.seed * 77 + 3}, world_{settings()} {}
    Day run();

private:
    using Fault = void (DayRun::*)(int modem);
    std::chrono::milliseconds between(std::chrono::milliseconds least, std::chrono::milliseconds most) {
        return least + std::chrono::milliseconds{random_() % static_cast<std::uint64_t>((most - least).count() + 1)};
    }
    WorldSettings settings();
    service::ModemService* service(int modem);
    /// The fault is over now: from here the time to ready counts.
    void over(const std::string& fault, int modem, std::chrono::milliseconds limit = usual);
    void watch(std::size_t row);
    void send(int modem);
    void receive(int modem);
    void look();

    void mute(int modem);
    void garbage(int modem);
    void reboot(int modem);
    void replug_elsewhere(int modem);
    void swap_sim(int modem);
    void fill_storage(int modem);
    void cms_storm(int modem);
    void wrong_pin(int modem);
    void urc_flood(int modem);
    void flood(int modem, Instant until);

    DayOptions options_;
    std::mt19937_64 random_;
    World world_;
    Day day_;
    Ledger ledger_;
    std::vector<bool> no_inbound_;  ///< its SIM is being changed: nobody writes to the old one
    std::vector<std::deque<std::pair<Instant, std::uint64_t>>> resets_;
    int names_ = 0;
};

WorldSettings DayRun::settings() {
    WorldSettings s;
    s.seed = options_.seed;
    s.print = options_.print;
    s.by_imei = true;
    s.fleet.modems = options_.modems;
    s.fleet.latency = {300ms, 2000ms};
    s.fleet.report_delay = {1s, 5s};
    s.pins.assign(static_cast<std::size_t>(options_.modems), "1234");
    s.start = *parse_rfc3339("2026-11-24T08:00:00Z");
    return s;
}

service::ModemService* DayRun::service(int modem) {
    auto* house = world_.house();
    return house ? house->modems()[static_cast<std::size_t>(modem)].get() : nullptr;
}

void DayRun::over(const std::string& fault, int modem, std::chrono::milliseconds limit) {
    day_.faults.push_back({fault, modem, world_.clock().truth(), {}, limit});
    world_.note(fmt::format("fault over: {} of modem {}", fault, modem));
    watch(day_.faults.size() - 1);
}

void DayRun::watch(std::size_t n) {
    auto& row = day_.faults[n];
    const auto* modem = service(row.modem);
    const auto passed = world_.clock().truth() - row.ended;
    const auto state = modem ? modem->status().state : driver::ModemState::absent;
    if (state == driver::ModemState::ready || state == driver::ModemState::sending)
        row.recovery = passed;
    else if (passed < 30min)
        world_.after(100ms, [this, n] { watch(n); });
}

void DayRun::mute(int modem) {
    const auto length = between(30s, 5min);
    world_.control({{"do", "mute"}, {"modem", modem}});
    world_.after(length, [this, modem] {
        world_.control({{"do", "mute"}, {"modem", modem}, {"on", false}});
        over("mute", modem);
    });
}

void DayRun::garbage(int modem) {
    world_.control({{"do", "garbage"}, {"modem", modem}, {"octets", 40}, {"rate", 0.3}});
    world_.after(between(30s, 3min), [this, modem] {
        world_.control({{"do", "garbage"}, {"modem", modem}, {"rate", 0}});
        over("garbage", modem);
    });
}

void DayRun::reboot(int modem) {
    const auto down = between(2s, 30s);
    world_.control({{"do", "reboot"}, {"modem", modem}, {"down", fmt::format("{}ms", down.count())}, {"drop_port", random_() % 2 == 0}});
    world_.after(down, [this, modem] { over("reboot", modem); });
}

void DayRun::replug_elsewhere(int modem) {
    world_.control({{"do", "unplug"}, {"modem", modem}, {"powered", true}});
    world_.after(between(10s, 5min), [this, modem] {
        world_.control({{"do", "plug"}, {"modem", modem}, {"link", fmt::format("other{}", ++names_)}, {"quick", true}});
        over("replug, other name", modem, replug);
    });
}

void DayRun::swap_sim(int modem) {
    no_inbound_[static_cast<std::size_t>(modem)] = true;
    world_.after(30s, [this, modem] {  // what was on its way has come
        world_.control({{"do", "sim"}, {"modem", modem}, {"action", "swap"}});
        world_.after(3min, [this, modem] {
            const auto* held = service(modem);
            if (held && held->status().state != driver::ModemState::blocked)
                day_.broken.push_back(fmt::format("modem {} went on with another SIM", modem));
            world_.tell<api::Answer<json>>([modem](service::Gateway& g) { return g.modem_action(modem, "accept-sim", {"technician"}); },
                                           [this, modem](api::Answer<json>) {
                                               over("swapped SIM, accepted", modem);
                                               no_inbound_[static_cast<std::size_t>(modem)] = false;
                                           });
        });
    });
}

void DayRun::fill_storage(int modem) {
    world_.control({{"do", "storage"}, {"modem", modem}, {"full", true}});
    world_.after(between(1min, 5min), [this, modem] {
        world_.control({{"do", "storage"}, {"modem", modem}, {"full", false}});
        over("full storage", modem);
    });
}

void DayRun::cms_storm(int modem) {
    world_.control({{"do", "cms"}, {"modem", modem}, {"code", random_() % 2 == 0 ? 42 : 38}, {"rate", 0.9}});
    world_.after(between(1min, 5min), [this, modem] {
        world_.control({{"do", "cms"}, {"modem", modem}, {"rate", 0}});
        over("+CMS ERROR storm", modem);
    });
}

void DayRun::wrong_pin(int modem) {
    world_.control({{"do", "pin"}, {"modem", modem}, {"pin", "9999"}, {"tries", 3}});
    world_.control({{"do", "reboot"}, {"modem", modem}, {"down", "2s"}});
    world_.after(5min, [this, modem] {  // a technician takes the PIN off the SIM
        world_.control({{"do", "pin"}, {"modem", modem}, {"pin", ""}, {"lock", false}});
        world_.control({{"do", "reboot"}, {"modem", modem}, {"down", "1s"}});
        world_.after(1s, [this, modem] { over("wrong PIN", modem); });
    });
}

void DayRun::flood(int modem, Instant until) {
    if (world_.now() >= until) return over("URC flood", modem);
    const char* lines[] = {"^RSSI:19", "+CREG: 1,\"1A2B\",\"0100C3D4\",7", "^BOOT:1,0,0,0,75", "RING", "+CSQ: 19,0", "^MODE:5,4"};
    for (int i = 0; i < 10; ++i) world_.fleet().control({{"do", "urc"}, {"modem", modem}, {"line", lines[random_() % std::size(lines)]}});
    world_.after(200ms, [this, modem, until] { flood(modem, until); });
}

void DayRun::urc_flood(int modem) {
    flood(modem, world_.now() + 60s);
}

void DayRun::send(int modem) {
    Ledger::Wish wish;
    wish.number = static_cast<int>(ledger_.wishes.size()) + 1;
    wish.message.to = fmt::format("+1555010{:04}", 100 + random_() % 100);
    wish.message.text = text_of(wish.number, random_() % 10 == 0 ? 3 : 1);
    wish.message.message_class = MessageClass::transactional;
    if (random_() % 2 == 0) wish.message.modem_index = modem;
    const auto n = ledger_.wishes.size();
    const bool went =
        world_.tell<api::Answer<api::Submitted>>([m = wish.message](service::Gateway& g) { return g.submit(m, {"producer"}); },
                                                 [this, n](api::Answer<api::Submitted> answer) {
                                                     if (answer)
                                                         ledger_.wishes[n].id = answer->message.id;
                                                     else
                                                         day_.broken.push_back("refused: " + answer.error().message);
                                                 });
    if (!went) day_.broken.push_back("the gateway did not run");
    ledger_.wishes.push_back(std::move(wish));
}

void DayRun::receive(int modem) {
    if (no_inbound_[static_cast<std::size_t>(modem)]) return;
    const auto from = fmt::format("+1555010{:04}", 100 + random_() % 100);
    const auto text = fmt::format("Reply {} {}", ++day_.inbound, std::string(random_() % 8 == 0 ? 300 : 6, 'r'));
    world_.fleet().control({{"do", "inject"}, {"modem", modem}, {"from", from}, {"text", text}});
    ++ledger_.inbound[{from, text}];
}

/// Every minute: tries of the PINs, restarts of modems.
void DayRun::look() {
    for (int m = 0; m < options_.modems; ++m) {
        day_.least_pin_tries = std::min(day_.least_pin_tries, world_.fleet().modems()[static_cast<std::size_t>(m)]->sim().pin_tries);
        const auto* modem = service(m);
        if (!modem) continue;
        auto& seen = resets_[static_cast<std::size_t>(m)];
        seen.emplace_back(world_.now(), modem->status().resets);
        while (seen.back().first - seen.front().first > 1h) seen.pop_front();
        day_.most_restarts_in_an_hour = std::max(day_.most_restarts_in_an_hour, seen.back().second - seen.front().second);
    }
}

Day DayRun::run() {
    no_inbound_.assign(static_cast<std::size_t>(options_.modems), false);
    resets_.resize(static_cast<std::size_t>(options_.modems));
    world_.boot();
    const Fault faults[] = {&DayRun::mute,         &DayRun::garbage,   &DayRun::reboot,    &DayRun::replug_elsewhere, &DayRun::swap_sim,
                            &DayRun::fill_storage, &DayRun::cms_storm, &DayRun::wrong_pin, &DayRun::urc_flood};
    const Instant begin = world_.now();
    const auto kinds = static_cast<int>(std::size(faults));
    for (int m = 0; m < options_.modems; ++m)
        for (int k = 0; k < kinds; ++k) {
            const auto slot = 30min + k * 150min;
            world_.at(begin + slot + between(0ms, 120min), [this, m, fault = faults[(m + k) % kinds]] { (this->*fault)(m); });
        }
    for (auto t = 2min; t < 1420min; t += 1min) {
        const int modem = static_cast<int>(random_() % static_cast<std::uint64_t>(options_.modems));
        world_.at(begin + t + between(0ms, 50s), [this, modem] { send(modem); });
        world_.at(begin + t + between(0ms, 50s), [this, modem] { receive(modem); });
        world_.at(begin + t, [this] { look(); });
    }
    world_.pass(24h);
    world_.pass(2h);  // what was cut short waits for its report until its time is over
    if (!world_.spinning.empty()) day_.broken.push_back(world_.spinning);

    std::map<int, std::map<int, int>> copies;
    for (const auto& s : world_.taken())
        if (const int mark = mark_of(s.text); mark >= 0) ++copies[mark][s.concat ? s.concat->seq : 1];
    for (const auto& r : world_.rows("SELECT content, status, segments FROM messages WHERE direction = 0")) {
        const int mark = mark_of(r[0]);
        if (mark < 0) continue;
        const auto status = static_cast<MessageStatus>(number(r[1]));
        ++day_.outbound;
        day_.delivered += status == MessageStatus::delivered;
        day_.unknown += status == MessageStatus::unknown;
        for (const auto& [seq, n] : copies[mark]) day_.doubled += n > 1;
        const bool whole = copies[mark].size() == static_cast<std::size_t>(static_cast<int>(number(r[2])));
        const bool says_so = status == MessageStatus::unknown || status == MessageStatus::undelivered;
        day_.lost += !whole && !says_so;
    }
    day_.lost += static_cast<int>(ledger_.wishes.size()) - day_.outbound;
    std::map<std::pair<std::string, std::string>, int> stored;
    for (const auto& r : world_.rows("SELECT phone, content FROM messages WHERE direction = 1")) ++stored[{r[0], r[1]}];
    for (const auto& [said, times] : ledger_.inbound) {
        day_.inbound_lost += stored[said] == 0;
        day_.inbound_doubled += stored[said] > times;
    }
    for (int m = 0; m < options_.modems; ++m)
        if (const auto* modem = service(m)) day_.restarts += modem->status().resets;
    day_.handlers = world_.handlers;
    day_.trace = world_.trace();
    return std::move(day_);
}

}  // namespace

std::string Day::table() const {
    std::map<std::string, std::vector<const FaultRow*>> by_fault;
    for (const auto& row : faults) by_fault[row.fault].push_back(&row);
    std::string out = fmt::format("{:<24}{:>6}{:>12}{:>12}{:>10}\n", "fault", "times", "median", "worst", "limit");
    for (auto& [fault, rows] : by_fault) {
        std::ranges::sort(rows, [](const auto* a, const auto* b) { return a->recovery.value_or(24h) < b->recovery.value_or(24h); });
        const auto show = [](const FaultRow& row) {
            return row.recovery ? fmt::format("{:.1f} s", static_cast<double>(row.recovery->count()) / 1000) : std::string{"never"};
        };
        out += fmt::format("{:<24}{:>6}{:>12}{:>12}{:>8} s\n", fault, rows.size(), show(*rows[rows.size() / 2]), show(*rows.back()),
                           rows.back()->limit.count() / 1000);
    }
    out += fmt::format(
        "outbound {}: {} delivered, {} unknown, {} lost, {} doubled; inbound {}: {} lost, {} doubled\n"
        "restarts of modems {} (at most {} of one in an hour); PIN tries never below {}\n",
        outbound, delivered, unknown, lost, doubled, inbound, inbound_lost, inbound_doubled, restarts, most_restarts_in_an_hour,
        least_pin_tries);
    return out;
}

std::vector<std::string> Day::findings() const {
    std::vector<std::string> out = broken;
    for (const auto& row : faults)
        if (!row.recovery || *row.recovery > row.limit)
            out.push_back(fmt::format("modem {} was not back in time: {} that ended at {}", row.modem, row.fault, to_rfc3339(row.ended)));
    const auto zero = [&out](int n, const char* what) {
        if (n != 0) out.push_back(fmt::format("{} {}", n, what));
    };
    zero(lost, "outbound lost");
    zero(doubled, "outbound doubled");
    zero(inbound_lost, "inbound lost");
    zero(inbound_doubled, "inbound doubled");
    if (least_pin_tries < 2) out.push_back(fmt::format("a PIN had {} tries left", least_pin_tries));
    if (most_restarts_in_an_hour > 3) out.push_back(fmt::format("{} restarts of one modem in an hour", most_restarts_in_an_hour));
    return out;
}

Day run_day(const DayOptions& options) {
    return DayRun{options}.run();
}

}  // namespace conductor::simulate
