#!/usr/bin/env python3
"""Minimax polynomials of core/math*.hpp: Remez exchange in 60 digits (mpmath).

fit(f, a, b, degree, weight) returns c minimising max |f(x) - sum c_k x^k| * weight(x) on [a, b]. The weight
turns an absolute error of the fitted factor into the relative error of the whole function. Coefficients are
then rounded to the format they are used in; prints them highest degree first, with the error reached.
"""
import mpmath as mp

mp.mp.dps = 60


def fit(f, a, b, degree, weight, rounds=12):
    a, b, n = mp.mpf(a), mp.mpf(b), degree + 2
    w = lambda x: max(weight(x), mp.mpf("1e-9"))  # a weight may vanish at 0, a node may not
    xs = [(a + b) / 2 - (b - a) / 2 * mp.cos(mp.pi * i / (n - 1)) for i in range(n)]
    for _ in range(rounds):
        A = mp.matrix(n, n)
        rhs = mp.matrix(n, 1)
        for i, x in enumerate(xs):
            for k in range(degree + 1):
                A[i, k] = x ** k
            A[i, degree + 1] = (-1) ** i / w(x)
            rhs[i] = f(x)
        sol = mp.lu_solve(A, rhs)
        c = [sol[k] for k in range(degree + 1)]
        err = lambda x: (f(x) - mp.polyval(c[::-1], x)) * w(x)
        # New nodes: the largest error between consecutive sign changes, on a fine Chebyshev grid.
        m = 24 * n
        grid = [(a + b) / 2 - (b - a) / 2 * mp.cos(mp.pi * i / m) for i in range(m + 1)]
        runs = []
        for x in grid:
            e = err(x)
            if runs and mp.sign(e) == mp.sign(runs[-1][1]):
                if abs(e) > abs(runs[-1][1]):
                    runs[-1] = (x, e)
            else:
                runs.append((x, e))
        while len(runs) > n:
            runs.pop(0 if abs(runs[0][1]) < abs(runs[-1][1]) else -1)
        if len(runs) < n:
            break
        xs = [r[0] for r in runs]
        big, small = max(abs(r[1]) for r in runs), min(abs(r[1]) for r in runs)
        if big < small * mp.mpf("1.01"):
            break
    return c, max(abs(r[1]) for r in runs)


def show(name, f, a, b, degree, weight=lambda x: 1, digits=9):
    c, e = fit(f, a, b, degree, weight)
    print(f"{name}: 2^{mp.nstr(mp.log(e, 2), 4)}")
    print("   " + ", ".join(mp.nstr(v, digits) for v in c[::-1]))


def series(f, x0=mp.mpf("1e-25")):
    """f with the removable singularity at 0 stepped over."""
    return lambda x: f(x if abs(x) > x0 else x0)


if __name__ == "__main__":
    h = mp.log(2) / 2 * mp.mpf("1.001")
    p = series(lambda r: (mp.exp(r) - 1 - r) / r ** 2)
    wp = lambda r: r * r / mp.exp(r)
    # (e^r - 1 - r) / r^2 on |r| <= ln2 / 2
    show("exp f32", p, -h, h, 4, wp)
    show("exp f64", p, -h, h, 9, wp, 18)
    # log(1+f) = 2s + s R(s^2), s = f / (2 + f): R(z) / z, relative to 2
    z1 = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2 * mp.mpf("1.001")
    q = series(lambda z: (2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z)
    show("log f32", q, 0, z1, 2, lambda z: z / 2)
    show("log f32", q, 0, z1, 3, lambda z: z / 2)
    show("log f64", q, 0, z1, 6, lambda z: z / 2, 18)
    # sin r = r + r^3 S(r^2), cos r = 1 - r^2/2 + r^4 C(r^2), |r| <= pi / 4
    y1 = (mp.pi / 4) ** 2 * mp.mpf("1.002")
    s = series(lambda y: (mp.sin(mp.sqrt(y)) / mp.sqrt(y) - 1) / y)
    c = series(lambda y: (mp.cos(mp.sqrt(y)) - 1 + y / 2) / y ** 2)
    ws, wc = lambda y: y, lambda y: y * y / mp.cos(mp.sqrt(y))
    show("sin f32", s, 0, y1, 2, ws)
    show("sin f64", s, 0, y1, 5, ws, 18)
    show("cos f32", c, 0, y1, 2, wc)
    show("cos f64", c, 0, y1, 5, wc, 18)
    # erf x = x + x P(x^2) for |x| <= 1
    e = series(lambda y: mp.erf(mp.sqrt(y)) / mp.sqrt(y) - 1)
    for d in (4, 5):
        show("erf small f32", e, 0, 1, d)
    show("erf small f64", e, 0, 1, 11, lambda x: 1, 18)
    # erf t = 1 - exp(L(t)) for 1 <= t <= 4: absolute error of exp(L)
    for d in (5, 6, 7):
        show("erf large f32", lambda t: mp.log(mp.erfc(t)), mp.mpf("0.99"), 4, d, lambda t: mp.erfc(t))
    # erfc a = exp(-a^2) G(t) / (1 + 2a), t = (a - k) / (a + k), a >= 0
    def g(k):
        def at(t):
            a = k * (1 + t) / (1 - t)
            return (1 + 2 * a) * mp.exp(a * a) * mp.erfc(a)
        return at
    for k, top, ds, dig in ((mp.mpf(2), mp.mpf("10.1"), (9, 10), 9), (mp.mpf(4), mp.mpf("27.3"), (18, 20, 21, 22), 18)):
        for d in ds:
            show(f"erfc k={k} d={d}", g(k), -1, (top - k) / (top + k), d, lambda t: 1, dig)
