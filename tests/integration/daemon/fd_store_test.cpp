// systemd's FD store, without systemd: the test owns the notification socket, keeps the descriptors that the daemon hands over, and gives
// them to the next process. So the answer to a submission survives a kill -9 between Ctrl-Z and +CMGS.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "tests/integration/daemon/checks.hpp"

using namespace conductor::harness;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

/// sd_notify(3) from the other side: FDSTORE, FDSTOREREMOVE, FDNAME.
class FdStore {
public:
    explicit FdStore(const fs::path& path) {
        socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const std::string text = path.string();
        if (text.size() >= sizeof address.sun_path) throw std::runtime_error("path too long: " + text);
        std::memcpy(address.sun_path, text.data(), text.size());
        if (::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("bind " + text);
    }
    ~FdStore() {
        for (const auto& [name, descriptor] : kept_) ::close(descriptor);
        ::close(socket_);
    }
    FdStore(const FdStore&) = delete;
    FdStore& operator=(const FdStore&) = delete;

    /// Takes in what waits.
    void listen() {
        while (receive()) {}
    }
    std::vector<std::pair<std::string, int>> kept() {
        listen();
        return {kept_.begin(), kept_.end()};
    }
    /// As when the modem's index was changed in the configuration since.
    void rename(const std::string& from, const std::string& to) {
        listen();
        kept_[to] = kept_.at(from);
        kept_.erase(from);
    }
    bool ready() {
        listen();
        return ready_;
    }
    /// How often the watchdog was fed.
    int fed() {
        listen();
        return fed_;
    }
    /// systemd was asked for time before that.
    bool extended() const { return extended_; }

private:
    bool receive() {
        std::array<char, 4096> text{};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(4 * sizeof(int))> control{};
        iovec place{text.data(), text.size()};
        msghdr message{};
        message.msg_iov = &place;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const ssize_t got = ::recvmsg(socket_, &message, MSG_CMSG_CLOEXEC);
        if (got < 0) return false;
        std::string name = "stored";
        bool store = false, forget = false;
        std::istringstream lines{std::string{text.data(), static_cast<std::size_t>(got)}};
        for (std::string line; std::getline(lines, line);) {
            if (line == "FDSTORE=1") store = true;
            if (line == "FDSTOREREMOVE=1") forget = true;
            if (line == "READY=1") ready_ = true;
            if (line == "WATCHDOG=1") ++fed_;
            if (line.starts_with("EXTEND_TIMEOUT_USEC=") && !ready_) extended_ = true;
            if (line.starts_with("FDNAME=")) name = line.substr(7);
        }
        if (store || forget) drop(name);
        for (cmsghdr* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
            if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
            int descriptor = -1;
            std::memcpy(&descriptor, CMSG_DATA(c), sizeof descriptor);
            if (store)
                kept_[name] = descriptor;
            else
                ::close(descriptor);
        }
        return true;
    }
    void drop(const std::string& name) {
        const auto found = kept_.find(name);
        if (found == kept_.end()) return;
        ::close(found->second);
        kept_.erase(found);
    }
    int socket_ = -1;
    bool ready_ = false, extended_ = false;
    int fed_ = 0;
    std::map<std::string, int> kept_;
};

/// Kills the daemon between Ctrl-Z and the answer, and starts it again with what the store kept.
void restart_in_submission(Gateway& gateway, const Sim& sim, FdStore& store) {
    const auto submitted = [&] { return sim.request({{"do", "stats"}})["total"]["submissions"].get<int>(); };
    const int before = submitted();
    REQUIRE_MESSAGE(enqueue(gateway, 1), describe(gateway));
    REQUIRE_MESSAGE(eventually(10s, [&] { return submitted() > before; }), describe(gateway));
    gateway.kill_now();
    gateway.options().kept = store.kept();
    REQUIRE(gateway.options().kept.size() == 1);
    CHECK(gateway.options().kept[0].first == "modem-0");
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
}

}  // namespace

TEST_CASE("integration: a restart between Ctrl-Z and +CMGS ends in what the modem answers") {
    for (const bool in_modem : {false, true}) {
        for (const bool refused : {false, true}) {
            CAPTURE(in_modem);
            CAPTURE(refused);
            const TempDir folder;
            FdStore store{folder / "notify"};
            const Sim sim{folder / "sim", {.modems = 1, .latency = 1500ms, .report_delay = 200ms}};
            Gateway gateway{folder / "box",
                            {.ports = sim.ports(),
                             .send = in_modem ? "journal = \"modem\"\n" : "",
                             .environment = {"NOTIFY_SOCKET=" + (folder / "notify").string()}}};
            if (refused) sim.refuse(invented_number(0), 1, -1);
            REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
            REQUIRE(ready_modems(gateway, 1));
            CHECK(store.ready());
            CHECK(store.extended());
            restart_in_submission(gateway, sim, store);
            CHECK_MESSAGE(gateway.settled(20s, 1, {refused ? "failed" : "delivered"}), describe(gateway));
            const json message = gateway.messages().at(0);
            if (refused)
                CHECK(message["reason"] == "cms-1");
            else
                CHECK(message["parts"][0]["tp_mr"].is_number());
            CHECK(message["parts"][0]["attempts"] == 1);
            CHECK(sim.copies().size() == (refused ? 0 : 1));
            CHECK(gateway.log().find("late-") != std::string::npos);
            CHECK(gateway.stop() == 0);
        }
    }
}

TEST_CASE("integration: the watchdog is fed twice in its time, and not by a process that hangs") {
    const TempDir folder;
    FdStore store{folder / "notify"};
    const Sim sim{folder / "sim", {.modems = 1}};
    Gateway gateway{folder / "box",
                    {.ports = sim.ports(), .environment = {"NOTIFY_SOCKET=" + (folder / "notify").string(), "WATCHDOG_USEC=400000"}}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    REQUIRE(ready_modems(gateway, 1));
    const int before = store.fed();
    CHECK(eventually(10s, [&] { return store.fed() >= before + 5; }));
    REQUIRE(::kill(gateway.daemon().pid(), SIGSTOP) == 0);
    store.listen();
    const int stopped = store.fed();
    std::this_thread::sleep_for(600ms);
    CHECK(store.fed() == stopped);
    REQUIRE(::kill(gateway.daemon().pid(), SIGCONT) == 0);
    CHECK(eventually(10s, [&] { return store.fed() > stopped; }));
    CHECK(gateway.stop() == 0);
}

TEST_CASE("integration: a kept port whose modem has another index now is closed, not locked by ourselves") {
    const TempDir folder;
    FdStore store{folder / "notify"};
    const Sim sim{folder / "sim", {.modems = 1}};
    Gateway gateway{folder / "box", {.ports = sim.ports(), .environment = {"NOTIFY_SOCKET=" + (folder / "notify").string()}}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    REQUIRE(ready_modems(gateway, 1));
    gateway.kill_now();
    store.rename("modem-0", "modem-5");
    gateway.options().kept = store.kept();
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    store.listen();  // what it forgets is closed here too
    CHECK_MESSAGE(ready_modems(gateway, 1), gateway.log_end());
    const auto kept = store.kept();
    REQUIRE(kept.size() == 1);
    CHECK(kept[0].first == "modem-0");
    CHECK(gateway.stop() == 0);
}
