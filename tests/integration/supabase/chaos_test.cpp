// Four boxes of one pool, sixteen modems, one queue: boxes are killed, their lines cut, PostgREST restarted, and one clock is wrong. What
// the simulated networks took is the judge: every row exactly once, or unknown with a reason.
//
// In the suite a few seconds of it; tools/release-check has it whole. CONDUCTOR_CHAOS_ROWS, _SECONDS (of faults at most), _BOUND (seconds
// to converge in), _LOST (per cent of the modems' answers that are lost), CONDUCTOR_SEED.
#include <random>
#include <thread>

#include "tests/integration/supabase/bad_line.hpp"
#include "tests/integration/supabase/world.hpp"

using namespace conductor::supabase_test;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point then) {
    return std::chrono::duration<double>(Clock::now() - then).count();
}

/// A box with its modems and its line.
struct Box {
    Box(int number, const TempDir& folder, const Stack& stack, std::uint64_t seed, const std::vector<std::string>& environment)
        : name{"box-" + std::to_string(number)},
          sim{folder / ("sim-" + std::to_string(number)), {.modems = 4, .latency = 60ms, .report_delay = 200ms, .seed = seed}},
          line{stack.url(), seed},
          gateway{folder / name, options(number, folder, stack, environment)} {
        sim.request({{"do", "set"}, {"cnma_guard", "1s"}});  // an unacknowledged report comes again
    }
    GatewayOptions options(int number, const TempDir& folder, const Stack& stack, const std::vector<std::string>& environment) const {
        auto out = options_for(sim, stack, folder.path(), "supabase-user-" + std::to_string(number), "realtime = false\npoll = \"1s\"\n",
                               line.url());
        out.environment = environment;
        return out;
    }
    /// It has told all that it knows.
    bool is_idle() {
        const json sync = gateway.get("/v1/sync").json();
        return sync.is_object() && sync.value("connected", false) && sync.value("outbox", 1) == 0;
    }

    std::string name;
    Sim sim;
    BadLine line;
    Gateway gateway;
    std::optional<Clock::time_point> dead_until = {};
};

struct Chaos {
    Chaos(int count, std::uint64_t seed) : rows{count}, random{seed}, stack{folder.path(), 4} {
        set_clock(folder / "clock", std::chrono::minutes{10}, false);
        for (int n = 1; n <= 4; ++n)
            boxes.push_back(std::make_unique<Box>(n, folder, stack, seed + static_cast<std::uint64_t>(n),
                                                  n == 2 ? shifted_by(folder / "clock") : std::vector<std::string>{}));
    }
    int between(int least, int most) { return std::uniform_int_distribution<int>{least, most}(random); }
    std::size_t taken() const {
        std::size_t all = 0;
        for (const auto& box : boxes) all += box->sim.request({{"do", "stats"}}).at("total").at("accepted").get<std::size_t>();
        return all;
    }
    /// How often each number's message was taken, by all networks together.
    std::map<std::string, int> copies() const {
        std::map<std::string, int> all;
        for (const auto& box : boxes)
            for (const auto& [number, times] : box->sim.copies()) all[number] += times;
        return all;
    }
    void faults(bool on) {
        const double lost = on ? static_cast<double>(number_from_environment("CONDUCTOR_CHAOS_LOST", 0)) / 100 : 0;
        for (auto& box : boxes) {
            box->line.faults(on);
            box->sim.request({{"do", "lost-answer"}, {"modem", "all"}, {"rate", lost}});
        }
    }
    void start_the_dead(bool all) {
        for (auto& box : boxes)
            if (box->dead_until && (all || Clock::now() >= *box->dead_until)) {
                box->dead_until.reset();
                box->gateway.start(all ? 20s : 0s);
            }
    }
    /// One random thing.
    void harm() {
        if (between(0, 9) == 0) {
            stack.postgrest("stop");
            const auto back = Clock::now() + milliseconds{between(100, 2'500)};
            eventually(5s, [&] { return Clock::now() >= back; });
            stack.postgrest("start");
            ++restarts;
            return;
        }
        auto& box = boxes[static_cast<std::size_t>(between(0, 3))];
        if (box->dead_until) return;
        box->gateway.kill_now();
        box->dead_until = Clock::now() + milliseconds{between(0, 2'000)};
        ++kills;
    }
    bool converged() {
        const auto open = [&] {
            return stack.count("scheduled_messages where status in ('scheduled', 'queued', 'claimed', 'sending', 'sent')");
        };
        return open() == 0 && std::ranges::all_of(boxes, [](const auto& box) { return box->is_idle(); });
    }
    std::string judge();
    std::string history(const std::string& id, const std::string& number);

    int rows;
    std::mt19937_64 random;
    TempDir folder;
    Stack stack;
    std::vector<std::unique_ptr<Box>> boxes;
    int kills = 0, restarts = 0;
    std::map<std::string, int> ends;  ///< rows by status and how often they were taken
};

/// Everything that anybody knows of a row.
std::string Chaos::history(const std::string& id, const std::string& number) {
    std::string out = "row " + id + "\n  " + stack.sql("select jsonb_strip_nulls(to_jsonb(s)) from scheduled_messages s where id = " + id) +
                      "\n  " +
                      stack.sql(
                          "select jsonb_agg(jsonb_build_object('gateway', gateway_id, 'epoch', claim_epoch, 'kind', kind, 'at', at, "
                          "'received', received_at, 'verdict', verdict) order by received_at) from message_events where job_id = " +
                          id);
    for (auto& box : boxes) {
        for (const json& message : box->gateway.messages("direction=outbound&to=%2B" + number.substr(1)))
            out += "\n  " + box->name + " " + message.dump() + "\n    " +
                   box->gateway.get("/v1/messages/" + message["id"].dump() + "/explain").body;
        for (const json& submission : box->sim.submissions())
            if (submission["to"] == number) out += "\n  network of " + box->name + " " + submission.dump();
    }
    return out + "\n";
}

/// The rows of which a promise was broken, with their histories; empty: none.
std::string Chaos::judge() {
    std::string broken;
    const auto all = copies();
    std::map<std::string, std::map<std::int64_t, std::string>> local;  // by box: what it thinks of each row
    for (auto& box : boxes)
        for (const json& message : box->gateway.messages())
            if (message["scheduled_message_id"].is_number())
                local[box->name][message["scheduled_message_id"].get<std::int64_t>()] = message["status"].get<std::string>();
    const json table = json::parse(
        stack.sql("select jsonb_agg(jsonb_build_array(id, phone_number, status, reason, claimed_by) order by id) from scheduled_messages"));
    int shown = 0;
    for (const json& row : table) {
        const std::string number = row[1], status = row[2], id = row[0].dump();
        const auto found = all.find(number);
        const int times = found == all.end() ? 0 : found->second;
        ++ends[status + (times == 0 ? "-never-taken" : times > 1 ? "-doubled" : "")];
        std::string why;
        if (times > 1) why = "taken " + std::to_string(times) + " times";
        if (times == 0 && status != "unknown") why = "lost";
        if (status != "delivered" && status != "sent" && status != "unknown") why = "ended " + status;
        if (status == "unknown" && row[3].is_null()) why = "unknown without a reason";
        if (row[4].is_string()) {
            const std::string at_box = local[row[4]][row[0].get<std::int64_t>()];
            if (at_box != status) why = "its box says " + at_box + ", Supabase " + status;
        }
        if (!why.empty()) broken += why + ": " + (++shown <= 3 ? history(id, number) : id + "\n");
    }
    if (static_cast<int>(table.size()) != rows) broken += std::to_string(table.size()) + " rows\n";
    return broken;
}

}  // namespace

TEST_CASE("integration: four boxes in chaos send every row once") {
    const int rows = static_cast<int>(number_from_environment("CONDUCTOR_CHAOS_ROWS", 120));
    const auto longest = std::chrono::seconds{number_from_environment("CONDUCTOR_CHAOS_SECONDS", 5)};
    const auto bound = std::chrono::seconds{number_from_environment("CONDUCTOR_CHAOS_BOUND", 120)};
    const std::uint64_t seed_number = seed(20261122);
    Chaos chaos{rows, seed_number};
    for (auto& box : chaos.boxes) REQUIRE_MESSAGE(box->gateway.start(), box->gateway.log_end());
    for (int first = 0; first < rows; first += 1000) schedule(chaos.stack, first, std::min(1000, rows - first));

    const auto begun = Clock::now();
    chaos.faults(true);
    while (Clock::now() - begun < longest && chaos.taken() * 10 < static_cast<std::size_t>(rows) * 9) {
        const auto next = Clock::now() + milliseconds{chaos.between(100, 1'500)};
        eventually(2s, [&] {
            chaos.start_the_dead(false);
            std::this_thread::sleep_for(20ms);
            return Clock::now() >= next;
        });
        chaos.harm();
    }
    chaos.faults(false);
    chaos.start_the_dead(true);
    const auto calm = Clock::now();
    const double faulty = seconds_since(begun);
    const auto taken_then = chaos.taken();
    std::optional<double> drained;
    const bool converged = eventually(bound + 100ms * rows, [&] {
        std::this_thread::sleep_for(250ms);
        if (!drained && chaos.taken() >= static_cast<std::size_t>(rows)) drained = seconds_since(calm);
        return chaos.converged();
    });
    const double settled = seconds_since(calm);
    const std::string broken = chaos.judge();
    json figures = {{"seed", seed_number},
                    {"rows", rows},
                    {"kills", chaos.kills},
                    {"postgrest_restarts", chaos.restarts},
                    {"faulty_s", faulty},
                    {"calm_s", settled},
                    {"ends", chaos.ends},
                    {"taken_amid_faults", taken_then},
                    {"rows_per_s_amid_faults", static_cast<double>(taken_then) / faulty}};
    for (const auto& box : chaos.boxes) figures["line"][box->name] = box->line.counts();
    if (drained) figures["last_taken_s"] = *drained;
    std::cout << figures.dump() << std::endl;
    CHECK_MESSAGE(converged, states(chaos.stack) << chaos.boxes[0]->gateway.log_end());
    CHECK_MESSAGE(broken.empty(), broken);
}
