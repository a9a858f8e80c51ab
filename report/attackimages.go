package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"math"

	"sobolev/rundir"
)

// attackImages are an attacked image as data URIs, with what the network says of it.
type attackImages struct {
	Original, Attacked, Difference template.URL
	Caption                        string
}

// maxExamplePixels is the side of the largest image that a page shows.
const maxExamplePixels = 256

// imagesOf draws the examples of a result, leaving out what is no image.
func imagesOf(res *rundir.Result) []attackImages {
	if res.Robustness == nil {
		return nil
	}
	var found []attackImages
	for _, e := range res.Robustness.Examples {
		if !isImage(e) {
			continue
		}
		attacked := make([]byte, len(e.Original))
		for i, v := range e.Original {
			moved := float64(v) + 255*(float64(e.Difference[i])-128)*float64(e.DifferenceScale)
			attacked[i] = byte(math.Round(min(max(moved, 0), 255)))
		}
		found = append(found, attackImages{picture(e.Shape, e.Original), picture(e.Shape, attacked), picture(e.Shape, e.Difference), attackWords(e)})
	}
	return found
}

func isImage(e rundir.AttackExample) bool {
	if len(e.Shape) != 3 || e.Shape[0] != 1 && e.Shape[0] != 3 || !finite(float64(e.DifferenceScale)) {
		return false
	}
	h, w := e.Shape[1], e.Shape[2]
	if h < 1 || w < 1 || h > maxExamplePixels || w > maxExamplePixels {
		return false
	}
	n := e.Shape[0] * h * w
	return len(e.Original) == n && len(e.Difference) == n
}

// picture is a PNG of channel-height-width bytes.
func picture(shape []int, pixels []byte) template.URL {
	h, w := shape[1], shape[2]
	var img image.Image
	if shape[0] == 1 {
		img = &image.Gray{Pix: pixels, Stride: w, Rect: image.Rect(0, 0, w, h)}
	} else {
		rgb := image.NewRGBA(image.Rect(0, 0, w, h))
		for i := range h * w {
			rgb.SetRGBA(i%w, i/w, color.RGBA{pixels[i], pixels[h*w+i], pixels[2*h*w+i], 0xff})
		}
		img = rgb
	}
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&b, img); err != nil {
		panic("report: PNG: " + err.Error()) // a buffer takes every write
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes()))
}

func attackWords(e rundir.AttackExample) string {
	text := fmt.Sprintf("%s sample %d", e.Set, e.Sample)
	if e.Label != nil {
		text += fmt.Sprintf(", class %d", *e.Label)
	}
	if e.Before != nil && e.After != nil {
		text += fmt.Sprintf(": predicted %d, after the attack %d", *e.Before, *e.After)
	}
	return text + fmt.Sprintf(". Radius %s (%s), largest change of an output %s.", measured(float64(e.Radius)), e.Norm, measured(float64(e.Change)))
}
