package api

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// present brings every answer to one form: times in Asia/Shanghai, whatever
// zone they came in, and lists that are empty rather than null.
func present(_ huma.Context, _ string, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	if _, ok := v.(*Problem); ok {
		return v, nil
	}
	return presented(reflect.ValueOf(v)).Interface(), nil
}

var timeType = reflect.TypeFor[time.Time]()

// presented copies what it changes: a value may belong to somebody's cache.
func presented(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == timeType {
			t, _ := reflect.TypeAssert[time.Time](v)
			if t.IsZero() {
				return v
			}
			return reflect.ValueOf(t.In(calendar.Shanghai))
		}
		out := reflect.New(v.Type()).Elem()
		out.Set(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(presented(v.Field(i)))
			}
		}
		return out
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(presented(v.Elem()))
		return out
	case reflect.Interface:
		if v.IsNil() {
			return v
		}
		return presented(v.Elem())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v // bytes and raw JSON stay as they are
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(presented(v.Index(i)))
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for entry := v.MapRange(); entry.Next(); {
			out.SetMapIndex(entry.Key(), presented(entry.Value()))
		}
		return out
	default:
		return v
	}
}

// maskName keeps a name's first character and always one star, so that not
// even its length shows.
func maskName(name string) string {
	for _, first := range name {
		return string(first) + "*"
	}
	return ""
}

// maskPhone keeps both ends, by which a customer recognises their own number.
func maskPhone(phone string) string {
	if len(phone) != 11 {
		return strings.Repeat("*", min(len(phone), 8))
	}
	return phone[:3] + "****" + phone[7:]
}

func maskContact(c casework.Contact) casework.Contact {
	return casework.Contact{Name: maskName(c.Name), Phone: maskPhone(c.Phone)}
}

// maskRequest hides who a request's people are: the contact, a natural
// person's own name, and whatever a sender wrote that nobody has looked at.
func maskRequest(r casework.Request) casework.Request {
	r.Contact = maskContact(r.Contact)
	if r.Applicant.Person {
		r.Applicant.Name = maskName(r.Applicant.Name)
	}
	r.Extra = nil
	r.Attachments = maskAttachments(r.Attachments)
	return r
}

func maskAttachments(all []casework.Attachment) []casework.Attachment {
	masked := slices.Clone(all)
	for i := range masked {
		masked[i].Reference = maskReference(masked[i].Kind, masked[i].Reference)
	}
	return masked
}

// maskReference hides the number of an identity certificate, which is the
// person's own; the kept message has it.
func maskReference(kind casework.DocumentKind, reference string) string {
	if kind == casework.IdentityPaper {
		return maskNumber(reference)
	}
	return reference
}
