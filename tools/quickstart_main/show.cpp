#include "tools/quickstart_main/show.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <iostream>

#include "daemon/core/clock.hpp"
#include "tools/harness/gateway.hpp"
#include "tools/harness/sim.hpp"
#include "tools/quickstart_main/table.hpp"

namespace conductor::quickstart {

using harness::eventually;
using harness::Gateway;
using harness::GatewayOptions;
using harness::HttpAnswer;
using harness::invented_number;
using harness::Sim;
using harness::TempDir;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

std::atomic<bool> signalled = false;

/// A row of the sample schedule, and how it is to end.
struct Row {
    std::string to, text;
    int due_in_seconds = 0;
    std::string ends = "delivered";  ///< a status; or the code of the refusal that the caller gets
    int parts = 1;
};

const std::string stopped_number = invented_number(90);

std::vector<Row> sample_schedule() {
    std::vector<Row> rows;
    const char* names[] = {"Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gina", "Hugo", "Iris", "Jon", "Kim", "Lea", "Max", "Nora", "Otto"};
    int n = 23;
    for (const char* name : names)
        rows.push_back({invented_number(n++), "Hi " + std::string{name} + ", your order is ready. Reply STOP to end."});
    std::string longer = "Hi Pia, this is what is new in the shop this week:";
    for (int item = 1; longer.size() < 330; ++item) longer += " " + std::to_string(item) + ") something nice for you,";
    rows.push_back({invented_number(n++), longer + " and more. Reply STOP to end.", 0, "delivered", 3});
    rows.push_back({invented_number(n++), "Hi Quinn, your table is booked \xF0\x9F\x8E\x89", 0, "delivered", 1});
    rows.push_back({invented_number(n++), "Hi Rosa, this one was due a little later.", 4});
    rows.push_back({stopped_number, "Hi Sam, we miss you.", 0, "opted-out"});
    rows.push_back({"+1555-CALL-ME", "Hi Tom, your number has letters.", 0, "bad-number"});
    return rows;
}

/// Says what is going on, and counts what was not as it should be.
class Report {
public:
    void step(const std::string& text) { std::cerr << (::isatty(2) ? "\r\x1b[K" : "") << text << std::endl; }
    void progress(const std::string& text) {
        if (::isatty(2)) std::cerr << "\r\x1b[K" << text << std::flush;
    }
    bool check(bool good, const std::string& what) {
        if (!good) wrong_.push_back(what);
        return good;
    }
    int result() const {
        for (const std::string& what : wrong_) std::cout << "NOT AS EXPECTED: " << what << "\n";
        if (wrong_.empty()) std::cout << "Everything was as it should be.\n";
        return wrong_.empty() ? 0 : 1;
    }

private:
    std::vector<std::string> wrong_;
};

std::string text_of(const json& value) {
    return value.is_null() ? "-" : value.is_string() ? value.get<std::string>() : value.dump();
}

/// "18:04:59" of an RFC 3339 time.
std::string clock_time(const json& value) {
    return value.is_string() && value.get<std::string>().size() > 19 ? value.get<std::string>().substr(11, 8) : "-";
}

bool wait_for(std::chrono::milliseconds limit, const std::function<bool()>& done) {
    return eventually(limit, [&] { return interrupted() || done(); }) && !interrupted();
}

/// Sends the schedule in one request; the answers, a row each.
json hand_over(Gateway& gateway, const std::vector<Row>& rows) {
    const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
    json batch = json::array();
    for (const Row& row : rows) {
        json one = {{"to", row.to}, {"text", row.text}};
        if (row.due_in_seconds > 0) one["due_at"] = to_rfc3339(now + std::chrono::seconds{row.due_in_seconds});
        batch.push_back(one);
    }
    const HttpAnswer answer = gateway.post("/v1/messages/batch", batch);
    if (answer.status != 200) throw std::runtime_error("the batch was refused: " + answer.body);
    return answer.json()["results"];
}

/// The message of an answer, or null when the row was refused.
json message_of(const json& answer) {
    if (answer.contains("message") && answer["message"].is_object()) return answer["message"];
    return answer.contains("id") ? answer : json{};
}

std::string refusal_of(const json& answer) {
    return answer.contains("error") && answer["error"].is_object() ? answer["error"].value("code", "") : "";
}

void check_outbound(Report& report, const std::vector<Row>& rows, const json& answers, const std::vector<json>& messages, const Sim& sim) {
    const auto copies = sim.copies();
    for (std::size_t n = 0; n < rows.size(); ++n) {
        const Row& row = rows[n];
        const json accepted = message_of(answers[n]);
        const auto at = copies.find(row.to);
        const int taken = at == copies.end() ? 0 : at->second;
        if (accepted.is_null()) {
            report.check(refusal_of(answers[n]) == row.ends, row.to + " was refused: " + answers[n].dump());
            if (row.to != stopped_number) report.check(taken == 0, row.to + " was refused and sent all the same");
            continue;
        }
        const auto found = std::ranges::find_if(messages, [&](const json& message) { return message["id"] == accepted["id"]; });
        if (!report.check(found != messages.end(), row.to + " is not in the queue any more")) continue;
        report.check((*found)["status"] == row.ends, row.to + " ended as " + (*found)["status"].dump() + ", not " + row.ends);
        report.check((*found)["segments"] == row.parts, row.to + " took " + (*found)["segments"].dump() + " parts");
        report.check(taken == 1, row.to + " reached the network " + std::to_string(taken) + " times");
        report.check((*found)["content"] == row.text, row.to + " changed its text");
        if (row.due_in_seconds > 0) report.check((*found)["sent_at"] >= (*found)["due_at"], row.to + " went out before it was due");
    }
}

void print_tables(const std::vector<Row>& rows, const json& answers, const std::vector<json>& out, const std::vector<json>& in) {
    Table sent{{"ID", "TO", "DUE", "SENT", "MODEM", "PARTS", "STATUS", "REPORT", "TEXT"}};
    for (const json& message : out)
        sent.add({text_of(message["id"]), text_of(message["phone_number"]), clock_time(message["due_at"]), clock_time(message["sent_at"]),
                  text_of(message["modem_index"]), text_of(message["segments"]), text_of(message["status"]),
                  text_of(message["delivery_status"]), cut(text_of(message["content"]), 46)});
    std::cout << "\nOUT\n" << sent.text();
    Table refused{{"TO", "REFUSED", "WHY"}};
    for (std::size_t n = 0; n < rows.size(); ++n)
        if (message_of(answers[n]).is_null())
            refused.add({rows[n].to, refusal_of(answers[n]), cut(answers[n].value("error", json::object()).value("message", ""), 90)});
    std::cout << "\nREFUSED\n" << refused.text();
    Table received{{"ID", "FROM", "AT", "MODEM", "PARTS", "STATUS", "TEXT"}};
    for (const json& message : in)
        received.add({text_of(message["id"]), text_of(message["phone_number"]), clock_time(message["timestamp"]),
                      text_of(message["modem_index"]), text_of(message["segments"]), text_of(message["status"]),
                      cut(text_of(message["content"]), 60)});
    std::cout << "\nIN\n" << received.text() << std::endl;
}

void serve(const Gateway& gateway) {
    std::cout << "The gateway stays up until Ctrl-C. In another terminal:\n  " << harness::program("conductorctl").string() << " --socket "
              << gateway.socket().string() << " status\n"
              << std::endl;
    while (!interrupted()) eventually(1s, interrupted);
}

}  // namespace

bool interrupted() {
    return signalled;
}

void watch_signals() {
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) std::signal(number, [](int) { signalled = true; });
}

int demonstrate(const Options& options) {
    if (options.keep) ::setenv("CONDUCTOR_KEEP", "1", 1);
    Report report;
    const TempDir folder;
    report.step("Starting two simulated modems: 300 ms a message, delivery reports after 500 ms.");
    const Sim sim{folder / "sim", {.modems = 2, .latency = 300ms, .report_delay = 500ms}};
    Gateway gateway{folder / "box", {.ports = sim.ports()}};
    report.step("Starting the gateway, with a database of its own.");
    if (!gateway.start()) throw std::runtime_error("conductord does not start:\n" + gateway.log_end());

    report.step("A customer answers STOP.");
    sim.inject(0, stopped_number, "STOP");
    const auto inbound = [&](std::size_t count) { return gateway.messages("direction=inbound").size() >= count; };
    report.check(wait_for(30s, [&] { return inbound(1); }), "the STOP did not arrive");

    const std::vector<Row> rows = sample_schedule();
    const json answers = hand_over(gateway, rows);
    if (answers.size() != rows.size()) throw std::runtime_error("a batch of 20 rows got " + std::to_string(answers.size()) + " answers");
    const auto accepted = static_cast<std::size_t>(std::ranges::count_if(answers, [](const json& a) { return !message_of(a).is_null(); }));
    report.step("Scheduled 20 messages in one request: " + std::to_string(accepted) + " accepted, " +
                std::to_string(rows.size() - accepted) + " refused.");

    report.step("Three customers reply, one of them at length.");
    sim.inject(0, rows[0].to, "Thanks, see you at 5!");
    sim.inject(1, rows[1].to, "Great \xF0\x9F\x91\x8D");
    sim.inject(
        1, rows[2].to,
        "I cannot come today, since the bus does not run and my bike has a flat tyre. Could you keep it for me until tomorrow in the "
        "afternoon? I would be there at about four.");

    const bool settled = wait_for(90s, [&] {
        auto tally = gateway.tally();
        const auto total = static_cast<int>(gateway.messages().size());
        report.progress(std::to_string(total - tally["queued"] - tally["sending"]) + " of " + std::to_string(total) + " sent, " +
                        std::to_string(tally["delivered"]) + " delivered, " + std::to_string(gateway.messages("direction=inbound").size()) +
                        " replies");
        return total >= static_cast<int>(accepted) && tally["queued"] + tally["sending"] + tally["sent"] == 0 && inbound(4);
    });
    report.progress("");
    if (interrupted()) return 130;
    report.check(settled, "not everything was settled after 90 s");
    const auto out = gateway.messages(), in = gateway.messages("direction=inbound");
    check_outbound(report, rows, answers, out, sim);
    report.check(in.size() == 4, std::to_string(in.size()) + " messages came in instead of STOP and 3 replies");
    report.check(std::ranges::any_of(in, [](const json& m) { return m["segments"] == 2; }), "no reply of two parts came in");
    const auto submissions = sim.submissions();
    for (int modem : {0, 1})
        report.check(std::ranges::any_of(submissions, [&](const json& s) { return s["modem"] == modem; }),
                     "modem " + std::to_string(modem) + " sent nothing");
    print_tables(rows, answers, out, in);
    const int result = report.result();
    if (result != 0) std::cout << "\nThe end of the daemon's log:\n" << gateway.log_end() << std::endl;
    if (options.serve) serve(gateway);
    if (!gateway.stop(80s)) std::cout << "the daemon did not end by itself\n";
    return result;
}

int send_for_real(const Options& options) {
    if (options.keep) ::setenv("CONDUCTOR_KEEP", "1", 1);
    std::cerr << "This sends one real message, which may cost money. To which number (with country code, empty: to none)? " << std::flush;
    std::string number;
    std::getline(std::cin, number);
    if (number.empty()) return std::cerr << "Nothing was sent.\n", 2;

    Report report;
    const TempDir folder;
    Gateway gateway{folder / "box", {.ports = options.modems}};
    if (!gateway.start()) throw std::runtime_error("conductord does not start:\n" + gateway.log_end());
    const HttpAnswer answer = gateway.post(
        "/v1/messages",
        {{"to", number}, {"text", "Conductor says hello: this gateway can send."}, {"class", "transactional"}, {"report", true}});
    if (answer.status != 202) throw std::runtime_error("refused: " + answer.body);
    report.step("Queued. Waiting for a modem to be ready, and for the network.");
    json message;
    wait_for(180s, [&] {
        message = gateway.get("/v1/messages/" + answer.json()["id"].dump()).json();
        const std::string status = message.value("status", "");
        report.progress("the message is " + status);
        return status != "queued" && status != "sending";
    });
    report.progress("");
    Table modems{{"MODEM", "PORT", "STATE", "REASON"}};
    const json list = gateway.get("/v1/modems").json();
    for (const json& modem : list.is_object() ? list["modems"] : list)
        modems.add({text_of(modem.value("index", json{})), text_of(modem.value("port", json{})), text_of(modem.value("state", json{})),
                    text_of(modem.value("reason_text", json{}))});
    std::cout << modems.text() << "\nThe message is " << message.value("status", "lost") << ": " << text_of(message["reason_text"])
              << std::endl;
    if (options.serve && !interrupted()) serve(gateway);
    const std::string status = message.value("status", "");
    gateway.stop(80s);
    return status == "sent" || status == "delivered" ? 0 : 1;
}

}  // namespace conductor::quickstart
