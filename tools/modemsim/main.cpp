// modemsim: the fleet of core/ on ptys, its timers on the loop, its control socket, its log.
#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "tools/modemsim/control_server.hpp"
#include "tools/modemsim/options.hpp"
#include "tools/modemsim/pty_port.hpp"

namespace conductor::modemsim {
namespace {

class SystemClock final : public Clock {
public:
    Instant now() const override { return BootClock::now(); }
    std::optional<WallTime> wall() const override {
        return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    }
};

class App {
public:
    explicit App(const Options& options)
        : options_{options},
          fleet_{clock_, options.fleet},
          timer_{io_.get_executor()},
          signals_{io_, SIGTERM, SIGINT},
          control_{io_.get_executor(), options.control, [this](const std::string& line) { return request(line); }} {}

    int run() {
        std::error_code failed;
        std::filesystem::create_directories(options_.dir, failed);
        if (const std::string problem = start(); !problem.empty()) return std::cerr << "modemsim: " << problem << '\n', 1;
        announce();
        signals_.async_wait([this](boost::system::error_code error, int) {
            if (!error) io_.stop();
        });
        arm();
        io_.run();
        for (const auto& modem : fleet_.modems()) modem->power_off();  // what is past Ctrl-Z and taken goes to the log
        control_.stop();
        ports_.clear();
        return 0;
    }

private:
    std::string start() {
        if (!options_.log.empty()) {
            log_ = ::open(options_.log.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
            if (log_ < 0) return options_.log + ": " + std::strerror(errno);
            fleet_.network().on_submission = [this](const Submission& s) { append(s); };
        }
        for (const auto& modem : fleet_.modems()) {
            ports_.push_back(std::make_unique<PtyPort>(io_.get_executor(), path_of(modem->link())));
            PtyPort& port = *ports_.back();
            port.keep_output = options_.keep_output;
            port.on_input = [this, m = modem.get()](std::string_view octets) {
                m->receive(octets);
                arm();
            };
            modem->on_output = [&port](std::string_view octets) { port.write(octets); };
            modem->on_port = [this, &port, m = modem.get()] { port_changed(port, *m); };
        }
        if (const std::string wrong = fleet_.configure(options_.config); !wrong.empty()) return wrong;
        for (std::size_t i = 0; i < ports_.size(); ++i) {
            ports_[i]->set_link(path_of(fleet_.modems()[i]->link()));
            if (!fleet_.modems()[i]->port_present()) continue;
            if (const std::string wrong = ports_[i]->open(); !wrong.empty()) return wrong;
        }
        started_ = true;
        return control_.start();
    }

    void announce() {
        nlohmann::json list = nlohmann::json::array();
        for (std::size_t i = 0; i < ports_.size(); ++i) {
            SimModem& m = *fleet_.modems()[i];
            list.push_back({{"index", i},
                            {"link", ports_[i]->link()},
                            {"imei", m.imei()},
                            {"iccid", m.sim().iccid},
                            {"imsi", m.sim().imsi},
                            {"number", m.sim().number},
                            {"profile", m.profile().name}});
        }
        std::cout << nlohmann::json{{"ready", true}, {"modems", list}, {"control", options_.control}}.dump() << std::endl;
    }

    // A link name without a slash stands in the folder; one with a slash is taken as it is.
    std::string path_of(const std::string& link) const { return link.find('/') == std::string::npos ? options_.dir + "/" + link : link; }

    void port_changed(PtyPort& port, SimModem& modem) {
        if (!started_) return;
        const std::string wanted = path_of(modem.link());
        if (!modem.port_present()) {
            port.close();
            port.set_link(wanted);
            return;
        }
        port.set_link(wanted);
        if (port.is_open()) return;
        if (const std::string wrong = port.open(); !wrong.empty())
            std::cerr << "modemsim: modem " << modem.index() << ": " << wrong << '\n';
    }

    std::string request(const std::string& line) {
        const auto asked = nlohmann::json::parse(line, nullptr, false);
        const auto answer = asked.is_discarded() ? nlohmann::json{{"ok", false}, {"error", "not JSON"}} : fleet_.control(asked);
        arm();
        if (fleet_.quit_asked()) boost::asio::post(io_, [this] { boost::asio::post(io_, [this] { io_.stop(); }); });
        return answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }

    void append(const Submission& s) {
        const std::string line = to_json(s).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
        if (::write(log_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
            std::cerr << "modemsim: log: " << std::strerror(errno) << '\n';
        }
    }

    // One timer for the whole fleet, at its next moment.
    void arm() {
        const auto next = fleet_.scheduler().next();
        if (!next || (armed_ && *armed_ == *next)) return;
        armed_ = next;
        timer_.expires_at(*next);
        timer_.async_wait([this](boost::system::error_code error) {
            if (error) return;
            armed_.reset();
            fleet_.scheduler().run_due();
            arm();
        });
    }

    Options options_;
    SystemClock clock_;
    boost::asio::io_context io_{1};
    Fleet fleet_;
    aio::Timer timer_;
    boost::asio::signal_set signals_;
    std::vector<std::unique_ptr<PtyPort>> ports_;
    ControlServer control_;
    std::optional<Instant> armed_;
    int log_ = -1;
    bool started_ = false;
};

}  // namespace
}  // namespace conductor::modemsim

int main(int argc, char** argv) {
    conductor::modemsim::Options options;
    if (const int code = conductor::modemsim::read_options(argc, argv, options); code >= 0) return code;
    if (!options.ask.empty()) return conductor::modemsim::ask(options.control, options.ask);
    return conductor::modemsim::App{options}.run();
}
