#include "tools/harness/sim.hpp"

#include <stdexcept>

#include "tools/harness/gateway.hpp"

namespace conductor::harness {

using nlohmann::json;

namespace {

std::string in_ms(milliseconds d) {
    return std::to_string(d.count()) + "ms";
}

}  // namespace

Sim::Sim(fs::path folder, SimOptions options) : folder_{std::move(folder)}, options_{std::move(options)} {
    fs::create_directories(folder_);
    std::vector<std::string> argv = {program("modemsim").string(),
                                     "--modems",
                                     std::to_string(options_.modems),
                                     "--dir",
                                     folder_.string(),
                                     "--control",
                                     socket().string(),
                                     "--latency",
                                     in_ms(options_.latency),
                                     "--report-delay",
                                     in_ms(options_.report_delay),
                                     "--seed",
                                     std::to_string(options_.seed)};
    argv.insert(argv.end(), options_.more.begin(), options_.more.end());
    child_ = std::make_unique<Child>(std::move(argv), folder_ / "modemsim.log");
    const bool up =
        eventually(milliseconds{20'000}, [&] { return !ask_line(socket().string(), "{\"do\":\"stats\"}").empty() || !child_->running(); });
    if (!up || !child_->running()) throw std::runtime_error("modemsim does not start: " + child_->output());
}

std::string Sim::port(int index) const {
    return "pty:" + (folder_ / ("modem" + std::to_string(index))).string();
}

std::vector<std::string> Sim::ports() const {
    std::vector<std::string> all;
    for (int index = 0; index < options_.modems; ++index) all.push_back(port(index));
    return all;
}

json Sim::request(const json& request) const {
    const std::string line = ask_line(socket().string(), request.dump());
    const json answer = json::parse(line, nullptr, false);
    if (!answer.is_object() || !answer.value("ok", false)) throw std::runtime_error("modemsim refused " + request.dump() + ": " + line);
    return answer;
}

std::vector<json> Sim::submissions() const {
    std::vector<json> all;
    while (true) {
        const json answer = request({{"do", "submissions"}, {"after", all.empty() ? json(0) : all.back()["id"]}, {"limit", 1000}});
        if (answer["submissions"].empty()) return all;
        for (const json& submission : answer["submissions"]) all.push_back(submission);
    }
}

std::map<std::string, int> Sim::copies() const {
    std::map<std::string, int> counts;
    for (const json& submission : submissions())
        if (submission["concat"].is_null() || submission["concat"]["seq"] == 1) ++counts[submission["to"].get<std::string>()];
    return counts;
}

void Sim::inject(int modem, const std::string& from, const std::string& text) const {
    request({{"do", "inject"}, {"modem", modem}, {"from", from}, {"text", text}});
}

void Sim::unplug(int modem) const {
    request({{"do", "unplug"}, {"modem", modem}});
}

void Sim::plug(int modem) const {
    request({{"do", "plug"}, {"modem", modem}});
}

void Sim::reboot_on_next_submission(int modem) const {
    request({{"do", "reboot"}, {"modem", modem}, {"on_submit", true}});
}

void Sim::refuse(const std::string& number, int code, int times) const {
    request({{"do", "rule"}, {"number", number}, {"cms", code}, {"times", times}});
}

std::string invented_number(int n) {
    // Area codes N9X are kept for a longer plan: no state, no time zone, so no law of a place decides when a test may send.
    const int code = n / 100 % 80;
    const std::string area = std::to_string(2 + code / 10) + "9" + std::to_string(code % 10);
    const std::string last = std::to_string(100 + n % 100);
    return "+1" + area + "5550" + last;
}

}  // namespace conductor::harness
