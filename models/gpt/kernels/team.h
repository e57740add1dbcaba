// Threads that share the work of one step. They sleep between steps and watch for work within one.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

class Team {
   public:
    explicit Team(int size) : parts_(size) {
        for (int worker = 1; worker < size; worker++) threads_.emplace_back([this, worker] { serve(worker); });
    }

    ~Team() {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            is_over_ = true;
        }
        wake_.notify_all();
        for (std::thread &thread : threads_) thread.join();
    }

    // From here to `close` the first `size` of the team, the caller among them, work together.
    void open(int size) {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            size_ = size;
            is_open_ = size > 1;
        }
        if (size == 1) return;
        wake_.notify_all();
    }

    void close() { is_open_ = false; }

    int size() const { return size_; }

    // Calls work(block, worker) for each of `blocks`. Each worker has a part, neighbours in order; who is done with its
    // own takes from others'. One that wakes late finds nothing left, and nobody waits for it.
    template <class Work>
    void share(int blocks, const Work &work) {
        if (size_ == 1 || blocks == 1) {
            for (int block = 0; block < blocks; block++) work(block, 0);
            return;
        }
        call_ = [](const void *work, int block, int worker) { (*(const Work *)work)(block, worker); };
        work_ = &work;
        undone_.store(blocks, std::memory_order_relaxed);
        for (int64_t worker = 0; worker < size_; worker++)
            parts_[worker].left.store({(int32_t)(blocks * worker / size_), (int32_t)(blocks * (worker + 1) / size_)},
                                      std::memory_order_release);
        take(0);
        for (int tries = 0; undone_.load(std::memory_order_acquire) > 0;) relax(tries);
    }

   private:
    struct Blocks {
        int32_t next, end;
    };
    struct alignas(64) Part {
        std::atomic<Blocks> left{{0, 0}};  // that nobody has taken
    };

    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool is_over_ = false;
    int size_ = 1;
    std::atomic<bool> is_open_{false};
    void (*call_)(const void *, int, int) = nullptr;
    const void *work_ = nullptr;
    std::vector<Part> parts_;                 // those of who does not take part are empty
    alignas(64) std::atomic<int> undone_{0};  // blocks that are not done: while there are any, call_ and work_ stay

    bool take(int worker) {
        const int count = (int)parts_.size();
        bool has_taken = false;
        for (int other = 0; other < count; other++) {
            std::atomic<Blocks> &part = parts_[(worker + other) % count].left;
            for (Blocks left = part.load(std::memory_order_acquire); left.next < left.end;)
                if (part.compare_exchange_weak(left, {left.next + 1, left.end}, std::memory_order_acq_rel)) {
                    call_(work_, left.next, worker);
                    undone_.fetch_sub(1, std::memory_order_release);
                    has_taken = true;
                    left = part.load(std::memory_order_acquire);
                }
        }
        return has_taken;
    }

    void serve(int worker) {
        for (;;) {
            {
                std::unique_lock<std::mutex> lock(mutex_);
                wake_.wait(lock, [&] { return is_over_ || (is_open_ && worker < size_); });
                if (is_over_) return;
            }
            for (int tries = 0; is_open_.load(std::memory_order_acquire);)
                if (take(worker)) tries = 0;
                else relax(tries);
        }
    }

    // Busy at first, since work comes within microseconds; then other processes may have the core.
    static void relax(int &tries) {
        if (++tries > 1000) {
            std::this_thread::yield();
            return;
        }
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        asm volatile("yield");
#endif
    }
};
