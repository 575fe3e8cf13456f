package casework

import "slices"

// Person is who showed a service code (办事码) at a window: their name, number
// and identity are verified, so that nobody asks for them. It is personal data.
type Person struct {
	Name       string `json:"name"`
	Phone      string `json:"phone"`
	ResidentID string `json:"resident_id"`
}

// Fill puts what is known of a person into a request wherever that says
// nothing yet. A request of an organisation keeps its applicant: the person is
// whom to call.
func (p Person) Fill(r Request) Request {
	r.Applicant, r.Contact = p.fill(r.Applicant, r.Contact)
	r.ByServiceCode = true
	return r
}

// FillJoint is Fill for a joint request.
func (p Person) FillJoint(j JointRequest) JointRequest {
	j.Applicant, j.Contact = p.fill(j.Applicant, j.Contact)
	j.ByServiceCode = true
	return j
}

func (p Person) fill(a Applicant, c Contact) (Applicant, Contact) {
	if a.Name == "" {
		a = Applicant{Name: p.Name, Person: true}
	}
	over(&p.Name, c.Name)
	over(&p.Phone, c.Phone)
	return a, Contact{Name: p.Name, Phone: p.Phone}
}

// FillService is Fill for a transfer or a closing: the person is who gets the
// account or closes theirs, and their identity needs no paper. Whoever calls
// 12345 shows no code.
func (p Person) FillService(r ServiceRequest) ServiceRequest {
	who := &r.Holder
	switch r.Service {
	case TransferCase:
		who = &r.NewHolder
	case ClosingCase:
	default:
		return r
	}
	r.ByServiceCode = true
	if who.Name != "" && who.Name != p.Name || who.CreditCode != "" {
		return r // somebody else's account: the person acts for them
	}
	who.Name = p.Name
	if who.Phone == "" {
		who.Phone = p.Phone
	}
	who.ResidentID = p.ResidentID
	for _, c := range r.Certificates {
		if c.Kind == IdentityCertificate {
			return r
		}
	}
	r.Certificates = append(slices.Clip(r.Certificates), Certificate{Kind: IdentityCertificate, Number: p.ResidentID})
	return r
}
