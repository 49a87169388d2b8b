internal import Glibc

/// Unix seconds by the wall clock.
func wallClockSeconds() -> Int64 {
    Int64(time(nil))
}

func sleepMilliseconds(_ milliseconds: UInt32) { usleep(milliseconds * 1000) }

func sleepMicroseconds(_ microseconds: UInt32) { usleep(microseconds) }
