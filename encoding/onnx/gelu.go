package onnx

import "math"

// erfForm is a value scale·xᵖ·(a + b·erf(s·x)), p = 0 or 1, of the flow's samples
// x: the stages of the GELU x (1 + erf(x/√2))/2 in any order of its factors, as
// exporters write it with operators of version < 20.
type erfForm struct {
	node  string
	scale float64
	p     int
	a, b  float64
	s     float64
}

// form returns a value as an erfForm.
func (c *call) form(f *flow) (erfForm, error) {
	if f.erf != nil {
		return *f.erf, nil
	}
	return erfForm{scale: 1, p: 1, a: 1}, f.plain()
}

// pending returns x with a form, or with a GELU if the form is one. The constants
// may come from half precision.
func (c *call) pending(x *flow, form erfForm) (any, error) {
	near := func(v, want float64) bool { return math.Abs(v-want) <= 1e-3*want }
	f := *x
	if form.p == 1 && near(form.scale*form.a, 0.5) && near(form.scale*form.b, 0.5) && near(form.s, math.Sqrt2/2) {
		return c.pointwise(&f, Layer{Kind: Activate, Activation: GELU})
	}
	form.node = c.n.String()
	f.erf = &form
	return &f, nil
}

// factors returns the two inputs as samples or, if one is a constant with one
// element, as samples and that number. second says that it is input 1.
func (c *call) factors() (x, y *flow, number float64, second bool, err error) {
	var number0, number1 *constant
	for i, to := range []struct {
		f **flow
		k **constant
	}{{&x, &number0}, {&y, &number1}} {
		v, err := c.input(i)
		if err != nil {
			return nil, nil, 0, false, err
		}
		switch v := v.(type) {
		case *flow:
			*to.f = v
		case *constant:
			*to.k = v
		}
	}
	k := number0
	if number1 != nil {
		k, second = number1, true
	}
	if k == nil {
		return x, y, 0, false, nil
	}
	if x == nil {
		x = y
	}
	if x == nil || k.elements() != 1 {
		return nil, nil, 0, false, c.unsupported("by a constant of shape %v; supported are the scalars within GELU", k.shape())
	}
	v, err := c.valuesOf(k)
	if err != nil {
		return nil, nil, 0, false, err
	}
	return x, nil, v[0], second, nil
}

func (c *call) mul() (any, error) {
	x, y, number, _, err := c.factors()
	if err != nil {
		return nil, err
	}
	p, err := c.form(x)
	if err != nil {
		return nil, err
	}
	if y == nil {
		p.scale *= number
		return c.pending(x, p)
	}
	q, err := c.form(y)
	if err != nil {
		return nil, err
	}
	if p.p == 0 {
		p, q = q, p
	}
	if x.end != y.end || x.last != y.last || p.p != 1 || p.b != 0 || q.p != 0 {
		return nil, c.unsupported("a product of samples; supported is that within GELU")
	}
	q.scale, q.p = q.scale*p.scale, 1
	return c.pending(x, q)
}

func (c *call) div() (any, error) {
	x, y, number, second, err := c.factors()
	if err != nil {
		return nil, err
	}
	if y != nil || !second || number == 0 {
		return nil, c.unsupported("a quotient; supported is that by a constant within GELU")
	}
	p, err := c.form(x)
	if err != nil {
		return nil, err
	}
	p.scale /= number
	return c.pending(x, p)
}

func (c *call) erf() (any, error) {
	v, err := c.input(0)
	if err != nil {
		return nil, err
	}
	x, ok := v.(*flow)
	if !ok {
		return nil, c.unsupported("of a constant")
	}
	p, err := c.form(x)
	if err != nil {
		return nil, err
	}
	if p.p != 1 || p.b != 0 {
		return nil, c.unsupported("of what is no multiple of the samples; supported is that within GELU")
	}
	return c.pending(x, erfForm{scale: 1, b: 1, s: p.scale})
}
