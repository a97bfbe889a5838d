#pragma once
// A bad line between a box and its project: a TCP proxy that cuts, stalls, delays and refuses at random, from a seed.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <random>
#include <string>
#include <thread>

namespace conductor::supabase_test {

class BadLine {
public:
    /// To `url`, "http://127.0.0.1:PORT". It works until faults(true).
    BadLine(const std::string& url, std::uint64_t seed);
    ~BadLine();
    BadLine(const BadLine&) = delete;
    BadLine& operator=(const BadLine&) = delete;

    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
    /// Faults that change by themselves, or a line that works.
    void faults(bool on) { faults_ = on; }
    /// Nothing passes, until it is told otherwise: connections are refused.
    void cut(bool yes) { down_ = yes; }
    /// How often each fault began.
    std::map<std::string, int> counts() const;

private:
    using Clock = std::chrono::steady_clock;
    enum class Fault : std::uint8_t { none, reset, refuse, stall, delay, reset_in_answer };
    struct Chunk {
        Clock::time_point due;
        std::string octets;
    };
    struct Side {
        int fd = -1;
        std::deque<Chunk> out;  ///< to be written to it
    };
    struct Pair {
        Side client, server;
        bool dead = false;
    };
    void run();
    void step(int timeout_ms);
    void next_fault(Clock::time_point now);
    void accept_one();
    void receive(Pair& pair, Side& from, Side& to, bool answer);
    void flush(Pair& pair, Side& to);
    void reset(Pair& pair);
    int between(int least, int most) { return std::uniform_int_distribution<int>{least, most}(random_); }

    int listener_ = -1;
    std::uint16_t port_ = 0, to_ = 0;
    std::mt19937_64 random_;
    std::atomic<bool> faults_ = false, down_ = false, stopping_ = false;
    std::atomic<int> counts_[6] = {};
    Fault fault_ = Fault::none;
    Clock::time_point until_{};
    std::list<Pair> pairs_;
    std::thread thread_;
};

}  // namespace conductor::supabase_test
