// Recorded exchanges: each *.at runs whole, octet by octet, and cut at seeded places; the events must be those of its *.chk every time.
// CONDUCTOR_UPDATE=1 rewrites the *.chk files; the difference is to be reviewed.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "modem/at/dialogue.hpp"
#include "modem/port/transcript.hpp"
#include "tests/replay/values.hpp"

using namespace conductor;
namespace fs = std::filesystem;

namespace {

std::string text_of(const at::Urc& urc) {
    const auto n = [](int v) { return std::to_string(v); };
    return std::visit(
        overloaded{[&](const at::Stored& u) { return std::string{u.report ? "stored-report " : "stored "} + u.memory + " " + n(u.index); },
                   [&](const at::Direct& u) {
                       return std::string{u.report ? "report " : "message "} + (u.length ? n(*u.length) : "?") + " " + u.hex;
                   },
                   [&](const at::Registration& u) { return "registration " + u.domain + " " + n(u.stat); },
                   [&](const at::Ussd& u) { return "ussd " + n(u.status) + " \"" + u.text + "\" " + (u.dcs ? n(*u.dcs) : "-"); },
                   [](const at::Ring& u) { return u.number.empty() ? "ring" : "ring " + u.number; },
                   [](const at::Boot& u) { return std::string{u.sure ? "boot " : "boot-line "} + u.text; },
                   [](const at::Ready&) { return std::string{"sms-ready"}; },
                   [](const at::StorageFull& u) { return "storage-full " + u.memory; },
                   [&](const at::Reference& u) { return "late-reference " + n(u.tp_mr); },
                   [](const at::SimChange& u) { return "sim " + u.text; }, [](const at::Noise&) { return std::string{"noise"}; }},
        urc);
}

std::string text_of(const at::Event& event) {
    return std::visit(overloaded{[](const at::Prompt&) { return std::string{"prompt"}; },
                                 [](const at::Finished& f) {
                                     std::string out = "finished " + at::word(f.reply.final);
                                     for (const std::string& line : f.reply.lines) out += "\n    " + line;
                                     return out;
                                 },
                                 [](const at::Urc& urc) { return "urc " + text_of(urc); },
                                 [](const at::Stray& s) { return (s.final ? "late-final " : "stray ") + s.line; }},
                      event);
}

/// The events of one transcript, with what the parsers read in them.
class Run {
public:
    void sent(std::string_view octets) {
        const std::size_t at = octets.find("AT");
        if (at == std::string_view::npos || !octets.ends_with('\r')) return;  // a PDU, or ESC
        if (dialogue_.running()) give_up("given up");
        command_ = octets.substr(at + 2, octets.size() - at - 3);
        prompted_ = false;
        out_ += "> AT" + command_ + "\n";
        dialogue_.start(at::command(command_));
    }
    void received(std::span<const std::uint8_t> octets) {
        dialogue_.feed(octets, [this](const at::Event& event) { on(event); });
    }
    std::string end() {
        if (dialogue_.running()) give_up("no final result");
        return std::move(out_);
    }

private:
    void give_up(std::string_view how) {
        out_.append(how) += "\n";
        for (const std::string& line : dialogue_.so_far()) out_ += "    " + line + "\n";
        dialogue_.abandon();
    }
    void on(const at::Event& event) {
        out_ += text_of(event) + "\n";
        std::vector<std::string> values;
        if (std::holds_alternative<at::Prompt>(event)) prompted_ = true;
        if (const auto* finished = std::get_if<at::Finished>(&event)) values = replay::values_of(command_, finished->reply, prompted_);
        if (const auto* urc = std::get_if<at::Urc>(&event)) values = replay::values_of(*urc);
        for (const std::string& value : values) out_ += "    = " + value + "\n";
    }

    at::Dialogue dialogue_;
    std::string out_, command_;
    bool prompted_ = false;
};

/// `cut` gives the size of the next piece.
std::string events_of(const port::Transcript& transcript, const std::function<std::size_t()>& cut) {
    Run run;
    for (const port::TranscriptStep& step : transcript.steps) {
        if (step.kind == port::TranscriptStep::Kind::sent) run.sent(step.octets);
        if (step.kind != port::TranscriptStep::Kind::received) continue;
        const auto* octets = reinterpret_cast<const std::uint8_t*>(step.octets.data());
        for (std::size_t i = 0; i < step.octets.size();) {
            const std::size_t n = std::min(std::max<std::size_t>(cut(), 1), step.octets.size() - i);
            run.received({octets + i, n});
            i += n;
        }
    }
    return run.end();
}

std::string read(const fs::path& path) {
    std::ifstream in{path, std::ios::binary};
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

}  // namespace

TEST_CASE("every transcript gives its events, however it is cut") {
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator{fs::path{SOURCE_DIR} / "tests/replay"})
        if (entry.path().extension() == ".at") paths.push_back(entry.path());
    std::ranges::sort(paths);
    REQUIRE(paths.size() >= 60);
    for (const fs::path& path : paths) {
        CAPTURE(path.filename().string());
        const auto transcript = port::parse_transcript(read(path));
        REQUIRE(transcript.has_value());
        const std::string whole = events_of(*transcript, [] { return std::size_t{1} << 20; });
        const fs::path expected = fs::path{path}.replace_extension(".chk");
        if (std::getenv("CONDUCTOR_UPDATE")) std::ofstream{expected, std::ios::binary} << whole;
        CHECK(whole == read(expected));
        CHECK(events_of(*transcript, [] { return std::size_t{1}; }) == whole);
        for (unsigned seed = 1; seed <= 20; ++seed) {
            CAPTURE(seed);
            std::mt19937 rng{seed};
            CHECK(events_of(*transcript, [&] { return std::size_t{rng() % 9 + 1}; }) == whole);
        }
    }
}

TEST_CASE("README: every row of FIELD part 2 once, and every transcript that it names is there") {
    const fs::path folder = fs::path{SOURCE_DIR} / "tests/replay";
    std::istringstream in{read(folder / "README.md")};
    int row = 0;
    for (std::string line; std::getline(in, line);) {
        if (!line.starts_with("| ") || line.starts_with("| row")) continue;
        CAPTURE(line);
        CHECK(line.starts_with("| " + std::to_string(++row) + " |"));
        for (std::size_t open = line.find('`'); open != std::string::npos; open = line.find('`', open + 1)) {
            const std::size_t close = line.find('`', open + 1);
            REQUIRE(close != std::string::npos);
            const std::string name = line.substr(open + 1, close - open - 1);
            if (name.ends_with(".at")) CHECK(fs::exists(folder / name));
            open = close;
        }
    }
    CHECK(row == 84);
}
